# Runs the proxy in the foreground. What it makes (the socket for kamcmd) it makes here, by a relative
# name: names of sockets are limited to 107 bytes.
PATH=$PATH:/usr/sbin
exec kamailio -DD -E -f ./kamailio.cfg -w . -Y . -m 16 -M 4
