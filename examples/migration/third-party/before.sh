# Tells the exchange where bob and carol are.
PATH=$PATH:/usr/sbin
cd "$SIPPOD_SHARED" || exit
kamcmd -s unix:exchange.ctl ul.add location "bob-{{test.run_id}}" "sip:bob@{{ua0.host}}:5060{{custom_transport}}" 0 1.0 . 0 0 0 &&
kamcmd -s unix:exchange.ctl ul.add location "carol-{{test.run_id}}" "sip:carol@{{ua3.host}}:5060{{custom_transport}}" 0 1.0 . 0 0 0
