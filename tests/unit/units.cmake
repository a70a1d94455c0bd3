
unit_test(netns/router_wire router_client)
unit_test(netns/router_client router_client)
unit_test(netns/link netns WRAP rtnl_link_add)
unit_test(netns/addresses netns)
unit_test(netns/sockdiag netns)
unit_test(netns/router router_client netns sandbox)
target_compile_definitions(unit-netns-router PRIVATE ROUTER="$<TARGET_FILE:sippod-router>")
add_dependencies(unit-netns-router sippod-router)

# What many tests share.
add_library(unit_support STATIC unit/support/support.c)
target_link_libraries(unit_support PUBLIC base PkgConfig::CMOCKA)

unit_test(base/error base)
unit_test(base/text base)
unit_test(base/loop unit_support)
unit_test(base/channel unit_support)
unit_test(base/process unit_support)
unit_test(base/socket unit_support)
unit_test(base/file unit_support)
unit_test(base/file_trees unit_support)
unit_test(base/rollback unit_support)
unit_test(base/log unit_support)

unit_test(wire/frame wire unit_support)
unit_test(wire/message wire unit_support)
unit_test(wire/client wire unit_support)

# The built agent, in pods.
add_library(unit_pod STATIC unit/agent/pod.c)
target_link_libraries(unit_pod PUBLIC wire sandbox unit_support)
target_compile_definitions(unit_pod PRIVATE AGENT="$<TARGET_FILE:sippod-agent>")
add_dependencies(unit_pod sippod-agent)
unit_test(agent/agent unit_pod)
unit_test(agent/agent_network unit_pod)
unit_test(agent/agent_process unit_pod)

unit_test(suite/scenario suite)
unit_test(suite/suite suite unit_support)
unit_test(suite/address suite)
unit_test(suite/test_config suite unit_support)
unit_test(suite/template suite unit_support)
unit_test(suite/template_jinja2 suite)

unit_test(packet/pcapng packet)
unit_test(netns/assemble sniffer unit_support)
add_library(unit_scene STATIC unit/netns/scene.c unit/netns/interfaces.c)
target_link_libraries(unit_scene PUBLIC sniffer unit_support)
unit_test(netns/sniffer unit_scene WRAP counter_stop)

unit_test(report/progress report unit_support)
unit_test(report/results report unit_support PkgConfig::JANSSON)

unit_test(run/state run)
unit_test(run/sipp run unit_support)
unit_test(run/folder run unit_support)
unit_test(run/output run unit_support)

unit_test(sandbox/capabilities sandbox unit_support)
unit_test(sandbox/seccomp sandbox unit_support)

unit_test(doctor/words doctor sandbox)
unit_test(doctor/write doctor PkgConfig::JANSSON)
unit_test(doctor/doctor doctor sandbox unit_support PkgConfig::JANSSON)
# It looks for sippod's other programs beside itself.
set_target_properties(unit-doctor-doctor PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR})
target_compile_definitions(unit-doctor-doctor PRIVATE SIPPOD="$<TARGET_FILE:sippod>")
add_dependencies(unit-doctor-doctor sippod sippod-router sippod-agent)
