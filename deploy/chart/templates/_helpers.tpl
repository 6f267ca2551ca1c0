{{- define "tke-eni.image" -}}
{{- with .Values.image -}}
{{- if .digest -}}
{{ .repository }}@{{ .digest }}
{{- else -}}
{{ .repository }}:{{ .tag | default $.Chart.Version }}
{{- end -}}
{{- end -}}
{{- end -}}
