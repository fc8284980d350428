{{- define "copper-bridge.fullname" -}}
{{- contains .Chart.Name .Release.Name | ternary .Release.Name (printf "%s-%s" .Release.Name .Chart.Name) | trunc 50 | trimSuffix "-" -}}
{{- end }}

{{- define "copper-bridge.selector" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/component: bridge
{{- end }}

{{- define "copper-bridge.test" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/component: test
{{- end }}

{{- define "copper-bridge.labels" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end }}

{{- define "copper-bridge.serviceAccount" -}}
{{ .Values.serviceAccount.name | default (.Values.serviceAccount.create | ternary (include "copper-bridge.fullname" .) "default") }}
{{- end }}

{{- define "copper-bridge.image" -}}
{{- with .Values.image -}}
{{ .repository }}{{ if .digest }}@{{ .digest }}{{ else }}:{{ .tag | default $.Chart.AppVersion }}{{ end }}
{{- end }}
{{- end }}

{{- /* A duration of the settings, such as 1.5m, in whole seconds. */ -}}
{{- define "copper-bridge.seconds" -}}
{{- $units := dict "ms" 0.001 "s" 1.0 "m" 60.0 "h" 3600.0 "d" 86400.0 -}}
{{- mulf (regexFind "^[0-9.]+" . | float64) (get $units (regexFind "[a-z]+$" .)) | ceil | int -}}
{{- end }}

{{- /* The ports of a list such as "a:9092,b:9093", each once. */ -}}
{{- define "copper-bridge.kafkaPorts" -}}
{{- $ports := list -}}
{{- range splitList "," (dig "kafka" "bootstrap_servers" "localhost:9092" .Values.config) -}}
{{- $ports = append $ports (regexFind "[0-9]+$" (trim .) | int) -}}
{{- end -}}
{{- .Values.networkPolicy.kafka.ports | default ($ports | uniq) | toJson -}}
{{- end }}

{{- define "copper-bridge.copperPorts" -}}
{{- $url := urlParse (dig "copper" "base_url" "https://api.copper.com" .Values.config) -}}
{{- $port := regexFind ":[0-9]+$" $url.host | trimPrefix ":" | default (eq $url.scheme "http" | ternary "80" "443") -}}
{{- .Values.networkPolicy.copper.ports | default (list (int $port)) | toJson -}}
{{- end }}

{{- /* A rule of a network policy: ports of TCP. */ -}}
{{- define "copper-bridge.tcp" -}}
{{- range fromJsonArray . }}{{ printf "- {protocol: TCP, port: %v}\n" . }}{{ end }}
{{- end }}

{{- define "copper-bridge.podSecurity" -}}
runAsNonRoot: true
{{- with .Values.runAsUser }}
runAsUser: {{ . }}
runAsGroup: {{ . }}
fsGroup: {{ . }}
fsGroupChangePolicy: OnRootMismatch
{{- end }}
seccompProfile: {type: RuntimeDefault}
{{- end }}

{{- define "copper-bridge.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: {drop: [ALL]}
{{- end }}

{{- /* Only the pod's group reads secrets; without a group of ours, whoever is in the pod. */ -}}
{{- define "copper-bridge.secretMode" -}}
{{ empty .Values.runAsUser | ternary "0444" "0440" }}
{{- end }}

{{- /* Where the bridge and its command line look for settings. */ -}}
{{- define "copper-bridge.settingsMounts" -}}
# one file: a directory below a read-only one could not be mounted
- {name: config, mountPath: /etc/copper-bridge/bridge.yaml, subPath: bridge.yaml, readOnly: true}
{{- if or .Values.secrets.existing .Values.secrets.plain }}
- {name: secrets, mountPath: /etc/copper-bridge/secrets, readOnly: true}
{{- end }}
{{- if .Values.kafkaTls.existingSecret }}
- {name: tls, mountPath: /etc/copper-bridge/tls, readOnly: true}
{{- end }}
{{- end }}

{{- define "copper-bridge.settingsVolumes" -}}
- name: config
  configMap: {name: {{ include "copper-bridge.fullname" . }}}
{{- if or .Values.secrets.existing .Values.secrets.plain }}
- name: secrets
  projected:
    defaultMode: {{ include "copper-bridge.secretMode" . }}
    sources:
      {{- range .Values.secrets.existing }}
      - secret: {name: {{ . }}}
      {{- end }}
      {{- if .Values.secrets.plain }}
      - secret: {name: {{ include "copper-bridge.fullname" . }}}
      {{- end }}
{{- end }}
{{- with .Values.kafkaTls.existingSecret }}
- name: tls
  secret: {secretName: {{ . }}, defaultMode: {{ include "copper-bridge.secretMode" $ }}}
{{- end }}
{{- end }}
