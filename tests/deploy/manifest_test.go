// The chart as Helm renders it, read as Kubernetes reads it: a field that it does not know, or of another type, is a failure.
package deploy

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"

	monitoring "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	apps "k8s.io/api/apps/v1"
	autoscaling "k8s.io/api/autoscaling/v2"
	core "k8s.io/api/core/v1"
	networking "k8s.io/api/networking/v1"
	policy "k8s.io/api/policy/v1"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"
)

const chart = "../../deploy/helm/temporal-webhook-forwarder"

// Manifests of one rendering, by kind.
type Manifests struct {
	ConfigMap      *core.ConfigMap
	ServiceAccount *core.ServiceAccount
	Deployment     *apps.Deployment
	Service        *core.Service
	Ingress        *networking.Ingress
	Autoscaler     *autoscaling.HorizontalPodAutoscaler
	Budget         *policy.PodDisruptionBudget
	NetworkPolicy  *networking.NetworkPolicy
	PodMonitor     *monitoring.PodMonitor
}

func render(t *testing.T, values string) *Manifests {
	t.Helper()
	text := helm(t, "template", "hooks", chart, "--namespace", "webhooks", "--kube-version", "1.30.0", "--values", values)
	manifests := &Manifests{}
	for document := range strings.SplitSeq(text, "\n---\n") {
		if err := manifests.add([]byte(document)); err != nil {
			t.Fatalf("%s: %v\n%s", values, err, document)
		}
	}
	return manifests
}

func (m *Manifests) add(document []byte) error {
	var kind meta.TypeMeta
	if err := yaml.Unmarshal(document, &kind); err != nil {
		return err
	}
	switch kind.APIVersion + " " + kind.Kind {
	case "v1 ConfigMap":
		return decode(document, &m.ConfigMap)
	case "v1 ServiceAccount":
		return decode(document, &m.ServiceAccount)
	case "apps/v1 Deployment":
		return decode(document, &m.Deployment)
	case "v1 Service":
		return decode(document, &m.Service)
	case "networking.k8s.io/v1 Ingress":
		return decode(document, &m.Ingress)
	case "autoscaling/v2 HorizontalPodAutoscaler":
		return decode(document, &m.Autoscaler)
	case "policy/v1 PodDisruptionBudget":
		return decode(document, &m.Budget)
	case "networking.k8s.io/v1 NetworkPolicy":
		return decode(document, &m.NetworkPolicy)
	case "monitoring.coreos.com/v1 PodMonitor":
		return decode(document, &m.PodMonitor)
	}
	return fmt.Errorf("no such kind is expected: %s %s", kind.APIVersion, kind.Kind)
}

func decode[T any](document []byte, into **T) error {
	if *into != nil {
		return fmt.Errorf("a second %T", *into)
	}
	*into = new(T)
	return yaml.UnmarshalStrict(document, *into)
}

func helm(t *testing.T, args ...string) string {
	t.Helper()
	output, err := tryHelm(args...)
	if err != nil {
		t.Fatalf("helm %v: %v\n%s", args, err, output)
	}
	return output
}

// What it prints, or what it says is wrong.
func tryHelm(args ...string) (string, error) {
	command := exec.Command(program("HELM_BIN"), args...)
	var stdout, stderr bytes.Buffer
	command.Stdout, command.Stderr = &stdout, &stderr
	if err := command.Run(); err != nil {
		return stderr.String(), err
	}
	return stdout.String(), nil
}

func program(variable string) string {
	path := os.Getenv(variable)
	if path == "" {
		panic(variable + " names no program: make check-deploy")
	}
	return path
}
