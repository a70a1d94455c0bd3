# After the last test, also if a signal ended the run: says what tests have left in the shared folder, and stops the exchange.
for note in "$SIPPOD_SHARED"/*.note; do
    [ ! -f "$note" ] || cat "$note"
done
kill "$(cat exchange.pid)"
