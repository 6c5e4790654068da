/* SPDX-License-Identifier: Apache-2.0 */
/*
 * notify_template_defaults - the definitions that are there before a user's files: under the names
 * and with the output that Alertmanager's have, so that templates which call or replace them go on
 * working. belfry's own messages do not come from here (exporters/message.h).
 */
#include "exporters/notify_template_private.h"

/* Templates read as they are laid out here. clang-format off */
#define NL          "\n"
#define DEF(n)      "{{ define \"" n "\" }}"
#define END         "{{ end }}"
#define SAME(n, as) DEF(n) "{{ template \"" as "\" . }}" END

/* Who, where, what: the parts the others are made of. */
static const char base[] = DEF("__alertmanager") "Alertmanager" END DEF(
	"__alertmanagerURL") "{{ .ExternalURL }}/#/alerts?receiver={{ .Receiver | urlquery }}" END
	DEF("__description") END DEF(
		"__subject") "[{{ toUpper .Status }}{{ if eq .Status \"firing\" }}:{{ len "
			     ".Alerts.Firing }}{{ end }}] "
			     "{{ join \" \" .GroupLabels.Values }} "
			     "{{ if lt (len .GroupLabels) (len .CommonLabels) }}"
			     "({{ (.CommonLabels.Remove .GroupLabels.Names).Values | join \" \" }})"
			     "{{ end }}" END DEF(
				     "__text_alert_list") "{{ range $alert := . }}Labels:" NL
							  "{{ range .Labels.SortedPairs }} - {{ "
							  ".Name }} = {{ .Value }}" NL "{{ end }}"
							  "Annotations:" NL
							  "{{ range .Annotations.SortedPairs }} - "
							  "{{ .Name }} = {{ .Value }}" NL
							  "{{ end }}"
							  "Source: {{ $alert.GeneratorURL }}" NL
							  "{{ end }}" END DEF(
								  "__text_alert_list_"
								  "markdown") "{{ range "
									      "$alert := . "
									      "}}" NL "Labels:" NL
									      "{{ range "
									      ".Labels."
									      "SortedPairs "
									      "}}  - {{ "
									      ".Name }} = "
									      "{{ .Value "
									      "}}" NL "{{ end }}" NL
									      "Annotations"
									      ":" NL "{{ range "
									      ".Annotations"
									      ".SortedPairs"
									      " }}  - {{ "
									      ".Name }} = "
									      "{{ .Value "
									      "}}" NL "{{ end }}" NL
									      "Source: {{ "
									      "$alert."
									      "GeneratorURL"
									      " }}" NL
									      "{{ end }}" NL END;

/* Firing and resolved alerts in three layouts. */
static const char lists[] = DEF(
	"__belfry_tight") "{{ with .Alerts.Firing }}Alerts Firing:" NL
			  "{{ template \"__text_alert_list\" . }}{{ end }}" NL
			  "{{ with .Alerts.Resolved }}Alerts Resolved:" NL
			  "{{ template \"__text_alert_list\" . }}{{ end }}" END DEF(
				  "__belfry_loose") "{{ with .Alerts.Firing }}" NL
						    "Alerts Firing:" NL
						    "{{ template \"__text_alert_list\" . }}" NL
						    "{{ end }}" NL "{{ with .Alerts.Resolved }}" NL
						    "Alerts Resolved:" NL
						    "{{ template \"__text_alert_list\" . }}" NL
						    "{{ end }}" NL END DEF("__belfry_markdown") NL
	"{{ with .Alerts.Firing }}" NL "# Alerts Firing:" NL
	"{{ template \"__text_alert_list_markdown\" . }}" NL "{{ end }}" NL
	"{{ with .Alerts.Resolved }}" NL "# Alerts Resolved:" NL
	"{{ template \"__text_alert_list_markdown\" . }}" NL "{{ end }}" NL END
		DEF("__belfry_annotated") "{{ join \" \" .CommonAnnotations.Values }}" NL END DEF(
			"__belfry_colour") "{{ if eq .Status \"firing\" }}danger{{ else }}good{{ "
					   "end }}" END;

static const char chat[] = SAME("slack.default.title", "__subject") SAME(
	"slack.default.username", "__alertmanager")
	DEF("slack.default.fallback") "{{ template \"slack.default.title\" . }} | {{ template "
				      "\"slack.default.titlelink\" . }}" END DEF(
					      "slack.default."
					      "callbackid") END DEF("slack.default.pretext")
					      END SAME("slack.default."
						       "titlelink",
						      "__alertmanagerURL") DEF("slack.default."
									       "iconemoji")
						      END DEF("slack.default.iconurl") END DEF(
							      "slack.default."
							      "text") END DEF("slack.default."
									      "footer") END SAME("s"
												 "l"
												 "a"
												 "c"
												 "k"
												 "."
												 "d"
												 "e"
												 "f"
												 "a"
												 "u"
												 "l"
												 "t"
												 "."
												 "c"
												 "o"
												 "l"
												 "o"
												 "r",
							      "__belfry_colour") SAME("rocketchat."
										      "default."
										      "title",
							      "__subject") SAME("rocketchat."
										"default.alias",
							      "__alertmanager") SAME("rocketchat."
										     "default."
										     "titlelink",
							      "__alertmanagerURL") DEF("rocketchat."
										       "default."
										       "emoji") END
							      DEF("ro"
								  "ck"
								  "et"
								  "ch"
								  "at"
								  ".d"
								  "ef"
								  "au"
								  "lt"
								  ".i"
								  "co"
								  "nu"
								  "r"
								  "l") END DEF("rocketchat.default."
									       "text") END SAME("ma"
												"tt"
												"er"
												"mo"
												"st"
												".d"
												"ef"
												"au"
												"lt"
												".c"
												"ol"
												"o"
												"r",
								      "__belfry_colour") SAME("matt"
											      "ermo"
											      "st."
											      "defa"
											      "ult."
											      "user"
											      "nam"
											      "e",
								      "__alertmanager") SAME("matte"
											     "rmost"
											     ".defa"
											     "ult."
											     "titl"
											     "e",
								      "__subject") SAME("mattermost"
											".default."
											"titlelink",
								      "__alertmanagerURL")
								      DEF("mattermost.default."
									  "fallback") "{{ template "
										      "\"mattermost"
										      ".default."
										      "title\" . "
										      "}} | {{ "
										      "template "
										      "\"mattermost"
										      ".default."
										      "titlelink\" "
										      ". }}" END SAME(
											      "matt"
											      "ermo"
											      "st."
											      "defa"
											      "ult."
											      "tex"
											      "t",
											      "__"
											      "belf"
											      "ry_"
											      "mark"
											      "dow"
											      "n")
											      DEF("telegram"
												  ".default"
												  ".messag"
												  "e")
												      NL
	"{{ template \"__belfry_loose\" . }}" END DEF("discord.default.content")
		END SAME("discord.default.title", "__subject") DEF("discord.default.message") NL
	"{{ template \"__belfry_loose\" . }}" END DEF(
		"webex.default.message") "{{ template \"__belfry_annotated\" . }}{{ template "
					 "\"__belfry_loose\" . }}" END SAME("msteams.default."
									    "summary",
						 "__subject") SAME("msteams.default.title",
						 "__subject") SAME("msteams.default.text",
						 "__belfry_markdown") SAME("msteamsv2.default."
									   "title",
						 "__subject") SAME("msteamsv2.default.text",
						 "__belfry_markdown")
						 DEF("wechat.default.message") "{{ template "
									       "\"__subject\" . "
									       "}}" NL
									       "{{ template "
									       "\"__belfry_"
									       "annotated\" . }}"
									       "{{ template "
									       "\"__belfry_tight\" "
									       ". }}" NL
									       "AlertmanagerUrl:" NL
									       "{{ template "
									       "\"__"
									       "alertmanagerURL\" "
									       ". }}" END DEF(
										       "wech"
										       "at."
										       "defa"
										       "ult."
										       "to_"
										       "use"
										       "r") END DEF("wechat."
												    "default.to_"
												    "party")
										       END DEF("wec"
											       "hat"
											       "."
											       "def"
											       "aul"
											       "t"
											       ".to"
											       "_"
											       "ta"
											       "g") END
											       DEF("wec"
												   "hat"
												   ".de"
												   "fau"
												   "lt."
												   "age"
												   "nt_"
												   "id")
												       END;

static const char paging[] = SAME("pagerduty.default.description", "__subject") SAME(
	"pagerduty.default.client", "__alertmanager") SAME("pagerduty.default.clientURL",
	"__alertmanagerURL") SAME("pagerduty.default.instances", "__text_alert_list")
	SAME("opsgenie.default.message", "__subject") DEF(
		"opsgenie.default.description") "{{ template \"__belfry_annotated\" . }}{{ "
						"template "
						"\"__belfry_tight\" . }}" END SAME(
							"opsgenie.default.source", "__"
										   "alertmanagerUR"
										   "L") DEF("victo"
											    "rops."
											    "defau"
											    "lt."
											    "state"
											    "_mess"
											    "age") "{{ template \"__belfry_annotated\" . }}{{ template \"__belfry_tight\" . }}" END
							SAME("victorops.default.entity_display_"
							     "name",
								"__subject") SAME("victorops."
										  "default."
										  "monitoring_"
										  "tool",
								"__alertmanager") SAME("pushover."
										       "default."
										       "title",
								"__subject")
								DEF("pusho"
								    "ver."
								    "defau"
								    "lt."
								    "messa"
								    "ge") "{{ template "
									  "\"__belfry_annotated\" "
									  ". }}{{ template "
									  "\"__belfry_loose\" . "
									  "}}" END SAME("pushover."
											"default."
											"url",
										  "__"
										  "alertmanagerUR"
										  "L") SAME("sns."
											    "defa"
											    "ult."
											    "subj"
											    "ect",
										  "__subject") DEF("sns.default.message") "{{ template \"__belfry_annotated\" . }}{{ template \"__belfry_loose\" . }}" END
										  SAME("jira."
										       "default."
										       "summary",
											  "__"
											  "subjec"
											  "t")
											  SAME("j"
											       "i"
											       "r"
											       "a"
											       "."
											       "d"
											       "e"
											       "f"
											       "a"
											       "u"
											       "l"
											       "t"
											       "."
											       "d"
											       "e"
											       "s"
											       "c"
											       "r"
											       "i"
											       "p"
											       "t"
											       "i"
											       "o"
											       "n",
												  "__belfry_markdown")
	/* the gravest severity, of those that fire if any has one */
	DEF("jira.default.priority") "{{ $now := list }}{{ range .Alerts.Firing }}{{ $now = append "
				     "$now (index .Labels \"severity\") }}{{ end }}"
				     "{{ $was := list }}{{ range .Alerts.Resolved }}{{ $was = "
				     "append $was (index .Labels \"severity\") }}{{ end }}"
				     "{{ $of := join \" \" $now }}"
				     "{{ if not (match \"(^| )(critical|warning|info)( |$)\" $of) "
				     "}}{{ $of = join \" \" $was }}{{ end }}"
				     "{{ if match \"(^| )critical( |$)\" $of }}High"
				     "{{ else if match \"(^| )warning( |$)\" $of }}Medium"
				     "{{ else if match \"(^| )info( |$)\" $of }}Low{{ end }}" END;

/* A mail for those who call or replace it; belfry's own is exporters/email.c's. */
static const char mail[] = SAME("email.default.subject", "__subject") DEF(
	"__belfry_mail_alert") "<tr><td style=\"padding: 0 0 16px;\"><strong>Labels</strong><br>"
			       "{{ range .Labels.SortedPairs }}{{ .Name }} = {{ .Value }}<br>{{ "
			       "end }}"
			       "{{ if .Annotations }}<strong>Annotations</strong><br>{{ end }}"
			       "{{ range .Annotations.SortedPairs }}{{ .Name }} = {{ .Value "
			       "}}<br>{{ end }}"
			       "<a href=\"{{ .GeneratorURL }}\">Source</a></td></tr>" NL END DEF(
				       "email.default.html") "<!DOCTYPE html>" NL "<html><head>"
							     "<meta http-equiv=\"Content-Type\" "
							     "content=\"text/html; charset=UTF-8\">"
							     "<meta name=\"viewport\" "
							     "content=\"width=device-width\">"
							     "<title>{{ template \"__subject\" . "
							     "}}</title></head>" NL
							     "<body style=\"margin: 0; "
							     "font-family: Helvetica, Arial, "
							     "sans-serif; font-size: 14px;\">" NL
							     "<table align=\"center\" "
							     "width=\"600\" cellpadding=\"0\" "
							     "cellspacing=\"0\" style=\"max-width: "
							     "600px;\">" NL
							     "<tr><td style=\"padding: 16px; "
							     "color: #ffffff; text-align: center; "
							     "background-color: {{ if "
							     ".Alerts.Firing }}#d32f2f{{ else "
							     "}}#2e7d32{{ end }};\">"
							     "{{ len .Alerts }} alert{{ if gt (len "
							     ".Alerts) 1 }}s{{ end }} for "
							     "{{ range .GroupLabels.SortedPairs "
							     "}}{{ .Name }}={{ .Value }} {{ end "
							     "}}</td></tr>" NL
							     "<tr><td style=\"padding: "
							     "16px;\"><table width=\"100%\" "
							     "cellpadding=\"0\" "
							     "cellspacing=\"0\">" NL
							     "<tr><td style=\"padding: 0 0 "
							     "16px;\"><a href=\"{{ template "
							     "\"__alertmanagerURL\" . }}\">"
							     "View in {{ template "
							     "\"__alertmanager\" . "
							     "}}</a></td></tr>" NL
							     "{{ with .Alerts.Firing }}<tr><td "
							     "style=\"padding: 0 0 "
							     "16px;\"><strong>[{{ len . }}] "
							     "Firing</strong></td></tr>" NL
							     "{{ range . }}{{ template "
							     "\"__belfry_mail_alert\" . }}{{ end "
							     "}}{{ end }}"
							     "{{ with .Alerts.Resolved }}<tr><td "
							     "style=\"padding: 0 0 "
							     "16px;\"><strong>[{{ len . }}] "
							     "Resolved</strong></td></tr>" NL
							     "{{ range . }}{{ template "
							     "\"__belfry_mail_alert\" . }}{{ end "
							     "}}{{ end }}"
							     "</table></td></tr>" NL
							     "<tr><td style=\"padding: 0 16px "
							     "16px; font-size: 12px;\"><a "
							     "href=\"{{ .ExternalURL }}\">"
							     "Sent by {{ template "
							     "\"__alertmanager\" . "
							     "}}</a></td></tr>" NL
							     "</table></body></html>" NL END;

const char *const notify_template_defaults[] = {base, lists, chat, paging, mail, NULL};

/* clang-format on */

/* How a field calls each of them. */
#define CALL(n)                                                                                    \
	{                                                                                          \
		n, "{{ template \"" n "\" . }}"                                                    \
	}
const struct notify_template_call notify_template_calls[] = {
	CALL("slack.default.title"),
	CALL("slack.default.username"),
	CALL("slack.default.fallback"),
	CALL("slack.default.callbackid"),
	CALL("slack.default.pretext"),
	CALL("slack.default.titlelink"),
	CALL("slack.default.iconemoji"),
	CALL("slack.default.iconurl"),
	CALL("slack.default.text"),
	CALL("slack.default.footer"),
	CALL("slack.default.color"),
	CALL("rocketchat.default.title"),
	CALL("rocketchat.default.alias"),
	CALL("rocketchat.default.titlelink"),
	CALL("rocketchat.default.emoji"),
	CALL("rocketchat.default.iconurl"),
	CALL("rocketchat.default.text"),
	CALL("mattermost.default.color"),
	CALL("mattermost.default.username"),
	CALL("mattermost.default.title"),
	CALL("mattermost.default.titlelink"),
	CALL("mattermost.default.fallback"),
	CALL("mattermost.default.text"),
	CALL("telegram.default.message"),
	CALL("discord.default.content"),
	CALL("discord.default.title"),
	CALL("discord.default.message"),
	CALL("webex.default.message"),
	CALL("msteams.default.summary"),
	CALL("msteams.default.title"),
	CALL("msteams.default.text"),
	CALL("msteamsv2.default.title"),
	CALL("msteamsv2.default.text"),
	CALL("wechat.default.message"),
	CALL("wechat.default.to_user"),
	CALL("wechat.default.to_party"),
	CALL("wechat.default.to_tag"),
	CALL("wechat.default.agent_id"),
	CALL("pagerduty.default.description"),
	CALL("pagerduty.default.client"),
	CALL("pagerduty.default.clientURL"),
	CALL("pagerduty.default.instances"),
	CALL("opsgenie.default.message"),
	CALL("opsgenie.default.description"),
	CALL("opsgenie.default.source"),
	CALL("victorops.default.state_message"),
	CALL("victorops.default.entity_display_name"),
	CALL("victorops.default.monitoring_tool"),
	CALL("pushover.default.title"),
	CALL("pushover.default.message"),
	CALL("pushover.default.url"),
	CALL("sns.default.subject"),
	CALL("sns.default.message"),
	CALL("jira.default.summary"),
	CALL("jira.default.description"),
	CALL("jira.default.priority"),
	CALL("email.default.subject"),
	CALL("email.default.html"),
	{NULL, NULL},
};
