# Runs what comes over a port of the virtual machine: seconds and a script in base64 on one line, and
# back on one line its status, output and errors, likewise.
until port=$(ls /dev/vport*p1 2> /dev/null); do sleep 0.2; done
exec 3<> "$port"
echo ready >&3
while read -r seconds script <&3; do
  base64 -d <<< "$script" > /run/script
  timeout "$seconds" bash /run/script < /dev/null > /run/output 2> /run/errors
  echo "$? $(base64 -w 0 /run/output) $(base64 -w 0 /run/errors)" >&3
done
