# Runs the proxy in the foreground. The DNS server that it asks is the test's own: /etc/resolv.conf says so.
PATH=$PATH:/usr/sbin
exec kamailio -DD -E -f ./kamailio.cfg -w . -Y . -m 16 -M 4
