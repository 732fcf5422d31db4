{{- /* A Service may have 63 signs, and the longest of them ends with "-probed". */ -}}
{{- define "tertulia.name" -}}
{{- $full := printf "%s-%s" .Release.Name .Chart.Name }}
{{- contains .Chart.Name .Release.Name | ternary .Release.Name $full | trunc 56 | trimSuffix "-" }}
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

{{- /* The same for the HTTP API. */ -}}
{{- define "tertulia.apiSelector" -}}
app.kubernetes.io/name: {{ .Chart.Name }}-api
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
{{- if and (eq $dialect "browser") $.Values.ircOnPage }}
{{- $_ := set $one "irc" true }}
{{- end }}
{{- $all = append $all $one }}
{{- end }}
{{- if .Values.probe.enabled }}
{{- $all = append $all (dict "dialect" "chatte" "host" "0.0.0.0" "port" 1230 "chat" "probe") }}
{{- end }}
{{- toJson $all }}
{{- end }}

{{- /* Where Redis is, and how to get in. */ -}}
{{- define "tertulia.redisEnvironment" -}}
- name: TERTULIA_REDIS_URL
  value: {{ required "redis.url: say where Redis is, like redis://tertulia@redis:6379/0" .Values.redis.url | quote }}
{{- if .Values.redis.passwordSecret }}
- name: TERTULIA_REDIS_PASSWORD_FILE
  value: /run/secrets/redis/password
{{- if .Values.redis.sentinelPasswordKey }}
- name: TERTULIA_REDIS_SENTINEL_PASSWORD_FILE
  value: /run/secrets/redis/sentinel-password
{{- end }}
{{- end }}
{{- end }}

{{- define "tertulia.redisVolume" -}}
{{- if .Values.redis.passwordSecret }}
- name: redis-password
  secret:
    secretName: {{ .Values.redis.passwordSecret }}
    defaultMode: 0440
    items:
      - key: {{ .Values.redis.passwordKey }}
        path: password
      {{- with .Values.redis.sentinelPasswordKey }}
      - key: {{ . }}
        path: sentinel-password
      {{- end }}
{{- end }}
{{- end }}
