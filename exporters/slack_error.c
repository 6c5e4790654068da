/* SPDX-License-Identifier: Apache-2.0 */
/*
 * slack_error - what the names of the Web API's errors ask for (reference notify.md A2).
 */
#include "base/num.h"
#include "exporters/slack.h"

enum verdict slack_error_verdict(struct str error)
{
	static const char *const transient[] = {"ratelimited", "rate_limited", "fatal_error",
		"internal_error", "service_unavailable", "request_timeout", "accesslimited",
		"team_added_to_org"};
	/* of the receiver, not of this message: no other form would be taken */
	static const char *const broken[] = {"channel_not_found", "not_in_channel", "is_archived",
		"invalid_auth", "not_authed", "token_revoked", "token_expired", "account_inactive",
		"missing_scope", "restricted_action", "restricted_action_read_only_channel",
		"restricted_action_thread_only_channel", "restricted_action_non_threadable_channel",
		"ekm_access_denied", "no_permission", "org_login_required", "user_is_bot",
		"access_denied", "not_allowed_token_type", "method_deprecated",
		"deprecated_endpoint", "two_factor_setup_required", "enterprise_is_restricted",
		"team_access_not_granted", "messages_tab_disabled", "unknown_method",
		"as_user_not_supported", "posting_to_general_channel_denied"};

	for (size_t i = 0; i < ARRAY_LEN(transient); i++) {
		if (str_eq(error, str_c(transient[i])))
			return VERDICT_RETRY;
	}
	for (size_t i = 0; i < ARRAY_LEN(broken); i++) {
		if (str_eq(error, str_c(broken[i])))
			return VERDICT_FINAL;
	}
	return VERDICT_DEGRADE; /* msg_too_long, invalid_blocks, ..., and what we do not know */
}

bool slack_error_is_access(struct str error)
{
	static const char *const list[] = {"invalid_auth", "not_authed", "token_revoked",
		"token_expired", "account_inactive", "missing_scope", "ekm_access_denied",
		"no_permission", "org_login_required", "access_denied", "not_allowed_token_type",
		"team_access_not_granted"};

	for (size_t i = 0; i < ARRAY_LEN(list); i++) {
		if (str_eq(error, str_c(list[i])))
			return true;
	}
	return false;
}
