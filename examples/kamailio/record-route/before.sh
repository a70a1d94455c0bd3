# Runs when the proxy is up: tells it where bob is, as if he had registered.
PATH=$PATH:/usr/sbin
kamcmd -s unix:dut/kamailio.ctl ul.add location bob sip:bob@{{ua0.host}}:5060 0 1.0 . 0 0 0
