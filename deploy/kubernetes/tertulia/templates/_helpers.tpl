{{- define "tertulia.name" -}}
{{- $full := printf "%s-%s" .Release.Name .Chart.Name }}
{{- contains .Chart.Name .Release.Name | ternary .Release.Name $full | trunc 63 | trimSuffix "-" }}
{{- end }}

{{- define "tertulia.selector" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- /* Other labels than the nodes': their Service and Deployment are not to take it for one. */ -}}
{{- define "tertulia.probeSelector" -}}
app.kubernetes.io/name: {{ .Chart.Name }}-probe
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "tertulia.labels" -}}
{{ include "tertulia.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
{{- end }}

{{- /* The listeners as the setting wants them. */ -}}
{{- define "tertulia.listeners" -}}
{{- $all := list }}
{{- range $dialect, $port := .Values.listeners }}
{{- $one := dict "dialect" $dialect "host" "0.0.0.0" "port" $port }}
{{- if and (eq $dialect "browser") $.Values.hosts }}
{{- $_ := set $one "hosts" $.Values.hosts }}
{{- end }}
{{- $all = append $all $one }}
{{- end }}
{{- if .Values.probe.enabled }}
{{- $all = append $all (dict "dialect" "chatte" "host" "0.0.0.0" "port" 1230 "chat" "probe") }}
{{- end }}
{{- toJson $all }}
{{- end }}
