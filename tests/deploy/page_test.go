// docs/deployment.md: its commands are run, with what this machine lacks (docker, a cluster, systemd) played by what checks how they are used.
package deploy

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

const page = "../../docs/deployment.md"

// The blocks of one language below a heading.
func blocks(t *testing.T, heading, language string) []string {
	t.Helper()
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	_, section, there := strings.Cut(string(text), "\n## "+heading+"\n")
	section, _, _ = strings.Cut(section, "\n## ")
	var found []string
	for _, match := range regexp.MustCompile("(?ms)^```"+language+"\n(.*?)^```$").FindAllStringSubmatch(section, -1) {
		found = append(found, match[1])
	}
	if !there || len(found) == 0 {
		t.Fatalf("no %s below %q", language, heading)
	}
	return found
}

// Runs lines of the page in the repository, with players first on PATH; what they were asked is in the answer.
func shell(t *testing.T, lines string, players map[string]string, env ...string) string {
	t.Helper()
	folder := t.TempDir()
	for name, script := range players {
		script = "#!/usr/bin/env bash\nset -euo pipefail\necho \"" + name + " $*\" >>\"$ASKED\"\n" + script
		if err := os.WriteFile(filepath.Join(folder, name), []byte(script), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	asked := filepath.Join(folder, "asked")
	command := exec.Command("bash", "-euo", "pipefail", "-c", lines)
	command.Dir = "../.."
	command.Env = append(os.Environ(), "ASKED="+asked, "PATH="+folder+":"+os.Getenv("PATH"))
	command.Env = append(command.Env, env...)
	if output, err := command.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s\n%s", err, lines, output)
	}
	text, _ := os.ReadFile(asked)
	return string(text)
}

// Takes what the real one takes of these, and starts the program's own check with the variables and the folder of `run`.
const docker = `
case $1 in
build) [ "$2" = -f ] && [ -f "$3" ] && [ -d "${*: -1}" ] ;;
exec) [ "$3" = /usr/bin/temporal-webhook-forwarder ] && "$FORWARDER_BIN" "$4" --help ;;
compose)
    [ "$2" = -f ] && [ -f "$3" ]
    case $4 in
    exec) [ "$6" = /usr/bin/temporal-webhook-forwarder ] && "$FORWARDER_BIN" "${@:7}" --secret x --print curl ;;
    up | down) ;;
    *) exit 2 ;;
    esac ;;
run)
    shift
    variables=()
    while [ $# -gt 1 ]; do
        case $1 in
        --detach | --read-only) shift ;;
        --name | --restart | --cap-drop | --stop-timeout | --publish) shift 2 ;;
        --env) case $2 in *=*) variables+=("$2") ;; *) variables+=("$2=${!2}") ;; esac; shift 2 ;;
        --volume) [ "$2" = /srv/forwarder:/etc/temporal-webhook-forwarder:ro ]; shift 2 ;;
        *) echo "docker run: $1" >&2; exit 2 ;;
        esac
    done
    [ "$1" = temporal-webhook-forwarder ]
    cd "$FOLDER" && env -i "${variables[@]}" "$FORWARDER_BIN" check --offline ;;
*) exit 2 ;;
esac
`

func TestDocker(t *testing.T) {
	folder := settings(t)
	lines := strings.Join(blocks(t, "Docker", "sh"), "\n")
	env := []string{"FOLDER=" + folder, "SHOPIFY_WEBHOOKS_KEY=a-secret-of-a-shop-that-is-none"}
	asked := shell(t, lines, map[string]string{"docker": docker}, env...)
	if strings.Count(asked, "docker ") != 3 {
		t.Error(asked)
	}
	lines = strings.Join(blocks(t, "All at once, to look at", "sh"), "\n")
	if asked := shell(t, lines, map[string]string{"docker": docker}); strings.Count(asked, "docker compose") != 3 {
		t.Error(asked)
	}
}

func TestKubernetes(t *testing.T) {
	values := filepath.Join(t.TempDir(), "values.yaml")
	if err := os.WriteFile(values, []byte(blocks(t, "Kubernetes", "yaml")[0]), 0o600); err != nil {
		t.Fatal(err)
	}
	m := render(t, values)
	if m.Autoscaler == nil || m.PodMonitor == nil || m.Service.Spec.Type != "LoadBalancer" {
		t.Errorf("%+v", m)
	}
	// What the commands create is what the chart mounts, by these names.
	asked := shell(t, blocks(t, "Kubernetes", "sh")[0], map[string]string{
		"kubectl": `case "$*" in *" exec "*) "$FORWARDER_BIN" "${*: -1}" --help ;; esac`,
		"helm":    `[ "$1 $2" = "upgrade --install" ] && shift 2 && "$HELM_BIN" template --kube-version 1.30.0 "${@/#values.yaml/$VALUES}"`,
	}, "VALUES="+values)
	for _, volume := range m.Deployment.Spec.Template.Spec.Volumes {
		if secret := volume.Secret; secret != nil && !regexp.MustCompile(` create secret (tls|generic) `+secret.SecretName+` `).MatchString(asked) {
			t.Errorf("nobody creates %s:\n%s", secret.SecretName, asked)
		}
	}
	if !strings.Contains(asked, "exec deployment/"+m.Deployment.Name+" ") || !strings.Contains(asked, "--namespace "+m.Deployment.Namespace) {
		t.Errorf("%s:\n%s", m.Deployment.Name, asked)
	}
}

func TestSystemd(t *testing.T) {
	folder, root := settings(t), t.TempDir()
	ini := blocks(t, "systemd", "ini")[0]
	if err := os.WriteFile(filepath.Join(folder, "environment"), []byte(ini), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(root, "etc"), 0o755); err != nil {
		t.Fatal(err)
	}
	// The group is there on no machine that has not installed it: everybody's own in its place.
	sudo := `case $1 in
make) DESTDIR=$ROOT BINARY=$FORWARDER_BIN "$@" ;;
systemd-sysusers) "$@" --root="$ROOT" ;;
install)
    set -- "${@/#temporal-webhook-forwarder/$(id -gn)}"
    args=("${@/#\/etc/$ROOT/etc}")
    cd "$FOLDER" && "${args[@]}" ;;
systemctl) ;;
*) exit 2 ;;
esac`
	lines := strings.ReplaceAll(blocks(t, "systemd", "sh")[0], "make build\n", "")
	shell(t, lines, map[string]string{"sudo": sudo}, "ROOT="+root, "FOLDER="+folder, "MAKEFLAGS=", "MAKELEVEL=")
	exists(t, root, "usr/bin/temporal-webhook-forwarder")
	exists(t, root, "usr/lib/systemd/system/temporal-webhook-forwarder.service")
	users, err := os.ReadFile(filepath.Join(root, "etc/passwd"))
	if err != nil || !strings.Contains(string(users), "temporal-webhook-forwarder:") {
		t.Errorf("%v %s", err, users)
	}

	// The program takes the variables of the file, where the unit starts it.
	there := filepath.Join(root, "etc/temporal-webhook-forwarder")
	command := exec.Command(filepath.Join(root, "usr/bin/temporal-webhook-forwarder"), "check", "--offline")
	command.Dir = there
	for line := range strings.Lines(strings.ReplaceAll(ini, "/etc/temporal-webhook-forwarder", folder)) {
		command.Env = append(command.Env, strings.TrimSpace(line))
	}
	if output, err := command.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, output)
	}
}

func TestAFileAndNothingElse(t *testing.T) {
	line := strings.TrimSpace(blocks(t, "A file and nothing else", "sh")[0]) + " check --offline"
	shell(t, "cd \"$FOLDER\" && "+line, map[string]string{"temporal-webhook-forwarder": `exec "$FORWARDER_BIN" "$@"`},
		"FOLDER="+settings(t), "SHOPIFY_WEBHOOKS_KEY=a-secret-of-a-shop-that-is-none")
}

// A folder as the page has it: certificate and configuration.
func settings(t *testing.T) string {
	t.Helper()
	folder := t.TempDir()
	certificate(t, filepath.Join(folder, "fullchain.pem"), filepath.Join(folder, "privkey.pem"))
	text := "[[source]]\npath = \"/temporal/shopify\"\nprovider = \"shopify\"\nsecrets = [\"env:SHOPIFY_WEBHOOKS_KEY\"]\n"
	if err := os.WriteFile(filepath.Join(folder, "forwarder.toml"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return folder
}
