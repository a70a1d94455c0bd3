
unit_test(netns/router_wire router_client)
unit_test(netns/router_client router_client)
unit_test(netns/link netns WRAP rtnl_link_add)
unit_test(netns/addresses netns)
unit_test(netns/sockdiag netns)
unit_test(netns/router router_client netns sandbox)
target_compile_definitions(unit-netns-router PRIVATE ROUTER="$<TARGET_FILE:sippod-router>")
add_dependencies(unit-netns-router sippod-router)
