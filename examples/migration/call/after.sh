# After the call, however it ended: leaves a note for GLOBAL/after.sh.
answers=$(cat uac_ua1_*_messages.log | tr -d '\r' | sed -n 's|^SIP/2\.0 ||p' | tr '\n' ',')
echo "{{test.name}}: alice got $answers" >"$SIPPOD_SHARED/{{test.run_id}}.note"
