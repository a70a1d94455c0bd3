# Runs before the call: says who is called.
echo "alice at {{ua1.host}} is going to call bob at {{ua0.host}} (run {{test.run_id}})"
