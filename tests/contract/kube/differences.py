"""What the servers of `make oldest` and `make newest` do otherwise than the cluster's.

By minor release the tests that do not hold there, with what is different. The product relies on none of it.
"""

from collections.abc import Mapping

DIFFERENCES: Mapping[int, Mapping[str, str]] = {
    24: {
        "test_resources[/api/v1-pods-expected0]": "discovery has no singular names of built-in resources",
        "test_resources[/apis/networking.k8s.io/v1-servicecidrs-expected10]": "ServiceCIDRs came with 1.33",
        "test_resources[/apis/networking.k8s.io/v1-servicecidrs/status-expected11]": "the same",
        "test_an_event_of_the_new_form_says_who_and_what": "reportingComponent has another name in core/v1",
        "test_field_selectors_of_services": "Services have no field selectors but name and namespace",
        "test_a_version_that_is_no_number_is_refused": "it is refused with 500",
        "test_options_that_contradict_each_other_are_refused[query3]": "limit and version are not compared",
        "test_a_merge_patch_is_an_object[body0]": "it is refused with 422",
        "test_extended_resources_are_whole_and_not_negative[1.5-Invalid value: "
        '"1500m": must be an integer]': "the value is shown in Go's words",
        "test_a_bookmark_tells_the_version_without_an_event": "none comes within 5 s",
        "test_the_initial_list_can_be_streamed": "a watch lists first; the watch cache does so by itself",
        "test_a_watch_that_cannot_be_is_refused[query2-422]": "sendInitialEvents is not known",
        "test_custom_resources_and_leases_need_a_version_to_be_replaced": "the value is shown as 0x0",
    },
    37: {
        "test_a_bookmark_tells_the_version_without_an_event": "none comes within 5 s, with Debian's etcd",
        "test_metadata_is_checked[metadata5-metadata.ownerReferences.uid]": "the field has its index",
    },
}
