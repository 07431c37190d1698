# A machine behind a host that routes to it: ADDRESS OF-THE-HOST LIMIT COMMAND...
# Packets on the way between the two are of at most LIMIT bytes. The command is run on the machine.
set -eu
machine=$1 router=$2 limit=$3
shift 3
sysctl -qw net.ipv4.ip_forward=1
ip link add beyond0 type veth peer name beyond1
unshare --net sleep infinity &
trap "kill $!" EXIT
until [ "$(readlink /proc/$!/ns/net)" != "$(readlink /proc/$$/ns/net)" ]; do sleep 0.05; done
ip link set beyond1 netns $!
ip address add "$router/24" dev beyond0
ip link set beyond0 up mtu "$limit"
inside="nsenter --net=/proc/$!/ns/net"
$inside sh -c "ip address add $machine/24 dev beyond1 && ip link set beyond1 up mtu $limit
               ip route add default via $router && sysctl -qw net.ipv4.icmp_ratelimit=0"
$inside "$@"
