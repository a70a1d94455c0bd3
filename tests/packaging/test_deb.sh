#!/bin/sh
# tests/packaging/test_deb.sh FOLDER: the Debian packages that were built in FOLDER, on a Debian 12 with nothing else, which is made in
# FOLDER/machine. test_deb_inside.sh is what is done there, without a network. Needs root.
set -eu
here=$(dirname "$(readlink -f "$0")")
# shellcheck source=tests/packaging/machine.sh
. "$here/machine.sh"

# The packages that those in FOLDER need, but for one another.
needed()
{
    for package in "$1"/*.deb; do
        dpkg-deb -f "$package" Depends Recommends | sed 's/^[A-Z][a-z]*: //' | tr ',' '\n'
    done | sed 's/[(|].*//; s/ //g; /sippod\|hyperstart/d; /^$/d' | sort -u
}

# make_previous FOLDER: the same sources as an earlier version, with another sippod.conf.
make_previous()
{
    mkdir "$1" "$1/source"
    tar -x -C "$1/source" --strip-components 1 -f sippod_*.orig.tar.gz
    cp -R "$here/../../packaging/deb" "$1/source/debian"
    sed -i '1s/(\([^-]*\)-/(\1~previous-/' "$1/source/debian/changelog"
    echo '# previous' >>"$1/source/packaging/etc/sippod.conf"
    (cd "$1/source" && DEB_BUILD_OPTIONS="parallel=$(nproc) nocheck noautodbgsym" dpkg-buildpackage -us -uc -b >../log 2>&1) || {
        tail -n 30 "$1/log" >&2
        fail "the previous version does not build (see above)"
    }
}

# Debian 12's parser is older than the rule `userns`; without the kernel's help it reads the profile, and no more.
check_profile()
{
    mirror=$(apt-get indextargets --format "\$(REPO_URI)" 'Created-By: Packages' 'Origin: Debian' 'Codename: bookworm' | head -n 1)
    # shellcheck disable=SC2086
    mmdebstrap --quiet --variant=extract --include=apparmor trixie parser $mirror
    cp "$here/../../packaging/apparmor/sippod" parser/profile
    ln -s usr/lib parser/lib
    ln -s usr/lib64 parser/lib64
    chroot parser /usr/sbin/apparmor_parser --skip-kernel-load --skip-cache --verbose /profile 2>&1 | tee parser/said
    for profile in sippod sippod-agent; do
        grep -q "^Addition succeeded for \"$profile\"" parser/said || fail "AppArmor's parser does not take the profile $profile"
    done
    rm -r parser
}

cd "$1"
rm -rf machine previous parser
step "AppArmor's profile, as Debian 13 reads it"
check_profile
step "a previous version"
make_previous previous
step "a Debian of its own"
make_machine "$PWD/machine" "$(needed .) kamailio iproute2 python3 autopkgtest dpkg-dev apparmor g++ pkgconf libcmocka-dev nftables"
mkdir machine/test/packages machine/test/previous machine/test/source
for package in *.deb; do
    case $package in
    *-dbgsym_*) ;;
    *) cp "$package" machine/test/packages ;;
    esac
done
cp previous/*.deb machine/test/previous
cp -R "$here/../../packaging/deb" machine/test/source/debian
cp "$here/machine.sh" "$here/test_deb_inside.sh" machine/test
enter "$PWD/machine" none sh /test/test_deb_inside.sh
rm -rf machine previous
