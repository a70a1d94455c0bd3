# Runs after the call, however it ended: lists the answers that alice got, in order.
for messages in uac_ua1_*_messages.log; do
    if [ -f "$messages" ]; then
        sed -n 's|^SIP/2\.0 |alice got |p' "$messages" | tr -d '\r'
    fi
done
