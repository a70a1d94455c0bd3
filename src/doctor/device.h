/* Whether the kernel has a kind of network device. The doctor asks it itself, by one request without libnl:
 * sippod does not link that, as each of its helpers would load it, too. rtnetlink(7) */
#pragma once

/* Makes a device `name` of that kind ("veth", "dummy", "ifb") in the network namespace that the caller is in;
 * it goes with the namespace. 0, or an errno value: EOPNOTSUPP if there is no such kind. */
int device_add(const char *name, const char *kind);
