# Before the call, in this test's own pod: tells the exchange where bob is, by the socket that GLOBAL/before.sh has left.
PATH=$PATH:/usr/sbin
cd "$SIPPOD_SHARED" || exit
kamcmd -s unix:exchange.ctl ul.add location "bob-{{test.run_id}}" \
       "sip:bob@{{ua0.host}}:5060{{custom_transport}}" 0 1.0 . 0 0 0
