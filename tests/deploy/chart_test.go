package deploy

import (
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	core "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func each(t *testing.T, check func(t *testing.T, m *Manifests)) {
	files, err := filepath.Glob("values/*.yaml")
	if err != nil || len(files) < 3 {
		t.Fatalf("values: %v %v", files, err)
	}
	for _, file := range files {
		t.Run(file, func(t *testing.T) { check(t, render(t, file)) })
	}
}

func TestItIsLinted(t *testing.T) {
	helm(t, "lint", "--strict", chart)
}

func TestEveryFileHasItsKind(t *testing.T) {
	full, ingress := render(t, "values/full.yaml"), render(t, "values/ingress.yaml")
	if full.ConfigMap == nil || full.ServiceAccount == nil || full.Deployment == nil || full.Service == nil || full.Autoscaler == nil ||
		full.Budget == nil || full.NetworkPolicy == nil || full.PodMonitor == nil || ingress.Ingress == nil {
		t.Errorf("something is missing: %+v %+v", full, ingress)
	}
	if ingress.ConfigMap != nil || ingress.Budget != nil || ingress.NetworkPolicy != nil || ingress.PodMonitor != nil || ingress.Autoscaler != nil {
		t.Errorf("something was switched off: %+v", ingress)
	}
}

func TestAStopLeavesTimeToDrain(t *testing.T) {
	each(t, func(t *testing.T, m *Manifests) {
		pod := m.Deployment.Spec.Template.Spec
		drain, err := time.ParseDuration(environment(pod.Containers[0])["TWF_DRAIN_TIMEOUT"])
		if err != nil {
			t.Fatal(err)
		}
		wait := time.Duration(pod.Containers[0].Lifecycle.PreStop.Sleep.Seconds) * time.Second
		grace := time.Duration(*pod.TerminationGracePeriodSeconds) * time.Second
		if wait < time.Second || grace <= wait+drain {
			t.Errorf("%v are for %v and %v", grace, wait, drain)
		}
	})
}

func TestThePublicServiceLeadsToWebhooksOnly(t *testing.T) {
	each(t, func(t *testing.T, m *Manifests) {
		ports := map[string]int32{}
		for _, port := range container(m).Ports {
			ports[port.Name] = port.ContainerPort
		}
		served := m.Service.Spec.Ports
		if len(served) != 1 || ports[served[0].TargetPort.StrVal] != 5000 || environment(container(m))["TWF_PORT"] != "5000" {
			t.Errorf("%+v of %v", served, ports)
		}
		admin := environment(container(m))["TWF_ADMIN"]
		if _, port, there := strings.Cut(admin, ":"); there != (ports["admin"] != 0) || port == "5000" {
			t.Errorf("%q and %v", admin, ports)
		}
		for _, selector := range []map[string]string{m.Service.Spec.Selector, m.Deployment.Spec.Selector.MatchLabels} {
			selects(t, m, selector)
		}
	})
}

func TestEverythingElseSelectsThePods(t *testing.T) {
	m := render(t, "values/full.yaml")
	for _, selector := range []*meta.LabelSelector{m.Budget.Spec.Selector, &m.NetworkPolicy.Spec.PodSelector, &m.PodMonitor.Spec.Selector,
		m.Deployment.Spec.Template.Spec.TopologySpreadConstraints[0].LabelSelector} {
		selects(t, m, selector.MatchLabels)
	}
	target := m.Autoscaler.Spec.ScaleTargetRef
	if target.Name != m.Deployment.Name || target.Kind != "Deployment" || m.Deployment.Spec.Replicas != nil {
		t.Errorf("%+v", target)
	}
	if *m.PodMonitor.Spec.PodMetricsEndpoints[0].Port != "admin" {
		t.Error("metrics are on the admin listener")
	}
}

func TestOnlyMonitoringReachesTheAdminListener(t *testing.T) {
	for _, rule := range render(t, "values/default.yaml").NetworkPolicy.Spec.Ingress {
		if rule.Ports[0].Port.StrVal == "admin" && len(rule.From) == 0 {
			t.Error("everybody does")
		}
	}
}

func TestProbesAskThePortThatWebhooksCome(t *testing.T) {
	each(t, func(t *testing.T, m *Manifests) {
		live, ready := container(m).LivenessProbe.HTTPGet, container(m).ReadinessProbe.HTTPGet
		scheme := core.URISchemeHTTPS
		if environment(container(m))["TWF_NO_TLS"] == "true" {
			scheme = core.URISchemeHTTP
		}
		for _, probe := range []*core.HTTPGetAction{live, ready} {
			if probe.Port.StrVal != "webhooks" || probe.Scheme != scheme {
				t.Errorf("%+v", probe)
			}
		}
		if live.Path != "/health/live" {
			t.Errorf("a restart brings no Temporal back: %s", live.Path)
		}
	})
}

func TestItMayDoNothingThatItDoesNotNeed(t *testing.T) {
	each(t, func(t *testing.T, m *Manifests) {
		pod, own := m.Deployment.Spec.Template.Spec, container(m).SecurityContext
		if !*pod.SecurityContext.RunAsNonRoot || pod.SecurityContext.SeccompProfile.Type != core.SeccompProfileTypeRuntimeDefault {
			t.Errorf("%+v", pod.SecurityContext)
		}
		if *own.AllowPrivilegeEscalation || !*own.ReadOnlyRootFilesystem || !slices.Equal(own.Capabilities.Drop, []core.Capability{"ALL"}) {
			t.Errorf("%+v", own)
		}
		if *pod.AutomountServiceAccountToken || *m.ServiceAccount.AutomountServiceAccountToken || pod.ServiceAccountName != m.ServiceAccount.Name {
			t.Error("it never asks Kubernetes")
		}
		if pod.HostNetwork || pod.HostPID || container(m).Resources.Limits[core.ResourceMemory] == (resource.Quantity{}) {
			t.Errorf("%+v", pod)
		}
	})
}

func TestSettingsAreMountedAsFoldersSoThatTheyChange(t *testing.T) {
	each(t, func(t *testing.T, m *Manifests) {
		volumes := map[string]core.Volume{}
		for _, volume := range m.Deployment.Spec.Template.Spec.Volumes {
			volumes[volume.Name] = volume
		}
		for _, mount := range container(m).VolumeMounts {
			volume, there := volumes[mount.Name]
			if !there || mount.SubPath != "" || !mount.ReadOnly {
				t.Errorf("%+v", mount)
			}
			if volume.Secret != nil && *volume.Secret.DefaultMode != 0o440 {
				t.Errorf("%o", *volume.Secret.DefaultMode)
			}
			delete(volumes, mount.Name)
		}
		if len(volumes) != 0 {
			t.Errorf("nobody mounts %v", slices.Collect(maps.Keys(volumes)))
		}
		for name := range m.Deployment.Spec.Template.Annotations {
			if strings.Contains(name, "checksum") {
				t.Error("a change is taken up without a restart")
			}
		}
	})
}

// The program itself, with the variables and the file that the chart gives it.
func TestTheProgramTakesWhatTheChartSays(t *testing.T) {
	for _, values := range []string{"values/default.yaml", "values/full.yaml"} {
		m, folder := render(t, values), t.TempDir()
		local := func(text string) string {
			for _, path := range []string{"/etc/temporal-webhook-forwarder", "/run/"} {
				text = strings.ReplaceAll(text, path, folder+path)
			}
			return text
		}
		write := func(path, text string) {
			path = local(path)
			if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, []byte(local(text)), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		write("/etc/temporal-webhook-forwarder/forwarder.toml", m.ConfigMap.Data["forwarder.toml"])
		write("/run/secrets/webhooks/shopify", "the-secret-of-a-shop-that-is-none")
		write("/run/secrets/payload-keys/2026-11", strings.Repeat("0f", 32))
		write("/run/admin/token", "the-token-of-an-operator-who-is-none")
		certificate(t, local("/run/tls/tls.crt"), local("/run/tls/tls.key"))

		command := exec.Command(program("FORWARDER_BIN"), "check", "--offline")
		for name, value := range environment(container(m)) {
			command.Env = append(command.Env, name+"="+local(value))
		}
		output, err := command.CombinedOutput()
		if err != nil || !strings.Contains(string(output), "/temporal/shopify") {
			t.Errorf("%s: %v\n%s", values, err, output)
		}
		// Each of ours is one that the program knows.
		known, err := exec.Command(program("FORWARDER_BIN"), "--help-env-vars").Output()
		for name := range environment(container(m)) {
			if err != nil || strings.HasPrefix(name, "TWF_") && !strings.Contains(string(known), "  "+name+"\n") {
				t.Errorf("%s does nothing (%v)", name, err)
			}
		}
	}
}

func TestWhatIsNotRightIsRefused(t *testing.T) {
	for set, named := range map[string]string{
		"replica=3":                                   "replica",
		"admin.port=5000":                             "admin.port",
		"admin.port=80":                               "admin.port",
		"stop.drainSeconds=20s":                       "drainSeconds",
		"tls.secretName=A B":                          "secretName",
		"probes.readinessPath=/":                      "readinessPath",
		"ingress.enabled=true":                        "ingress.host",
		"podMonitor.enabled=true,admin.enabled=false": "podMonitor.enabled",
		"networkPolicy.adminForm[0].podSelector.a=b":  "adminForm",
		"service.externalTrafficPolicy=Global":        "externalTrafficPolicy",
		"podDisruptionBudget.maxUnavailable=some":     "maxUnavailable",
		"autoscaling.enabled=true,autoscaling.cpu=70": "cpu",
		"secrets[0]=../etc":                           "secrets",
		"image.pullPolicy=Sometimes":                  "pullPolicy",
		"securityContext.runAsUser=0":                 "securityContext",
	} {
		output, err := tryHelm("template", "hooks", chart, "--kube-version", "1.30.0", "--set", set)
		if err == nil || !strings.Contains(strings.ReplaceAll(output, "/", "."), named) {
			t.Errorf("%s: %v %s", set, err, output)
		}
	}
	if output, err := tryHelm("template", "hooks", chart, "--kube-version", "1.29.0"); err == nil || !strings.Contains(output, "1.30") {
		t.Errorf("preStop's sleep needs 1.30: %s", output)
	}
}

func certificate(t *testing.T, cert, key string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(cert), 0o700); err != nil {
		t.Fatal(err)
	}
	output, err := exec.Command("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "90", "-subj", "/CN=hooks.example.com",
		"-addext", "subjectAltName=DNS:hooks.example.com", "-keyout", key, "-out", cert).CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, output)
	}
}

func container(m *Manifests) core.Container {
	return m.Deployment.Spec.Template.Spec.Containers[0]
}

func environment(container core.Container) map[string]string {
	variables := map[string]string{}
	for _, variable := range container.Env {
		variables[variable.Name] = variable.Value
	}
	return variables
}

func selects(t *testing.T, m *Manifests, selector map[string]string) {
	t.Helper()
	labels := m.Deployment.Spec.Template.Labels
	if len(selector) == 0 {
		t.Error("it selects everything")
	}
	for name, value := range selector {
		if labels[name] != value {
			t.Errorf("%s=%s is no label of the pods: %v", name, value, labels)
		}
	}
}
