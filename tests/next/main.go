// The newest Temporal server that Go's module proxy has, behind those flags of the CLI's `server start-dev` that the
// tests give: the newest CLI that `go install` builds brings an older one. `make test-next` runs the tests on it.
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"log"
	"net"
	"os"
	"strings"
	"time"

	"go.temporal.io/server/common/authorization"
	"go.temporal.io/server/common/cluster"
	"go.temporal.io/server/common/config"
	"go.temporal.io/server/common/dynamicconfig"
	temporallog "go.temporal.io/server/common/log"
	"go.temporal.io/server/common/membership/static"
	"go.temporal.io/server/common/persistence/sql/sqlplugin/sqlite"
	"go.temporal.io/server/common/primitives"
	schema "go.temporal.io/server/schema/sqlite"
	"go.temporal.io/server/temporal"
)

func main() {
	log.SetFlags(0)
	if len(os.Args) < 3 || os.Args[1] != "server" || os.Args[2] != "start-dev" {
		log.Fatal("this is a server for tests: server start-dev --port PORT --db-filename FILE")
	}
	// As the CLI's development server has it: attributes are there at once, and nothing of it is slowed down.
	dynamic := values{
		dynamicconfig.MakeKey("system.forceSearchAttributesCacheRefreshOnRead"): true,
		dynamicconfig.MakeKey("frontend.persistenceMaxQPS"):                     10000,
		dynamicconfig.MakeKey("history.persistenceMaxQPS"):                      45000,
		dynamicconfig.MakeKey("history.hostLevelCacheMaxSize"):                  8096,
		dynamicconfig.MakeKey("frontend.namespaceRPS.visibility"):               100,
	}
	flags := flag.NewFlagSet("start-dev", flag.ExitOnError)
	flags.Bool("headless", true, "there is no web interface")
	ip := flags.String("ip", "127.0.0.1", "where to listen")
	port := flags.Int("port", 7233, "where to listen")
	level := flags.String("log-level", "error", "what to log")
	file := flags.String("db-filename", "", "the database, made where it is not there")
	pragma := flags.String("sqlite-pragma", "synchronous=2", "NAME=VALUE")
	flags.Var(dynamic, "dynamic-config-value", "KEY=JSON")
	check(flags.Parse(os.Args[3:]))

	attributes := map[string]string{"mode": "rwc"}
	if name, value, found := strings.Cut(*pragma, "="); found {
		attributes[name] = value
	}
	store := &config.SQL{PluginName: sqlite.PluginName, DatabaseName: *file, ConnectAttributes: attributes}
	if _, err := os.Stat(*file); os.IsNotExist(err) {
		check(schema.SetupSchema(store))
	}
	namespace, err := schema.NewNamespaceConfig("active", "default", false, nil)
	check(err)
	check(schema.CreateNamespaces(store, namespace))

	settings := configure(store, *ip, *port)
	authorizer, err := authorization.GetAuthorizerFromConfig(&settings.Global.Authorization)
	check(err)
	hosts := map[primitives.ServiceName]static.Hosts{}
	for name, service := range settings.Services {
		hosts[primitives.ServiceName(name)] = static.SingleLocalHost(address(*ip, service.RPC.GRPCPort))
	}
	server, err := temporal.NewServer(
		temporal.WithConfig(settings),
		temporal.ForServices(temporal.DefaultServices),
		temporal.WithStaticHosts(hosts),
		temporal.WithLogger(temporallog.NewZapLogger(temporallog.BuildZapLogger(temporallog.Config{Stdout: true, Level: *level}))),
		temporal.WithAuthorizer(authorizer),
		temporal.WithClaimMapper(func(*config.Config) authorization.ClaimMapper { return authorization.NewNoopClaimMapper() }),
		temporal.WithDynamicConfigClient(dynamicconfig.StaticClient(dynamic)),
		temporal.InterruptOn(temporal.InterruptCh()),
	)
	check(err)
	check(server.Start())
}

func configure(store *config.SQL, ip string, port int) *config.Config {
	settings := config.Config{
		Persistence: config.Persistence{
			DefaultStore: "sqlite", VisibilityStore: "sqlite", NumHistoryShards: 1,
			DataStores: map[string]config.DataStore{"sqlite": {SQL: store}},
		},
		ClusterMetadata: &cluster.Config{
			FailoverVersionIncrement: 10, MasterClusterName: "active", CurrentClusterName: "active",
			ClusterInformation: map[string]cluster.ClusterInformation{
				"active": {Enabled: true, InitialFailoverVersion: 1, RPCAddress: address(ip, port)},
			},
		},
		Services:     map[string]config.Service{},
		PublicClient: config.PublicClient{HostPort: address(ip, port)},
	}
	settings.Global.Membership.MaxJoinDuration = 30 * time.Second
	settings.Global.Membership.BroadcastAddress = ip
	settings.DCRedirectionPolicy.Policy = "noop"
	settings.Archival.History.State, settings.Archival.Visibility.State = "disabled", "disabled"
	settings.NamespaceDefaults.Archival.History.State = "disabled"
	settings.NamespaceDefaults.Archival.Visibility.State = "disabled"
	for _, name := range []string{"frontend", "history", "matching", "worker"} {
		if name != "frontend" {
			port = freePort(ip)
		}
		settings.Services[name] = config.Service{RPC: config.RPC{GRPCPort: port, BindOnIP: ip}}
	}
	return &settings
}

// values are settings that the server reads while it runs.
type values dynamicconfig.StaticClient

func (v values) String() string { return "" }

func (v values) Set(text string) error {
	name, value, found := strings.Cut(text, "=")
	if !found {
		return fmt.Errorf("no value: %s", text)
	}
	var whole int
	if json.Unmarshal([]byte(value), &whole) == nil {
		v[dynamicconfig.MakeKey(name)] = whole
		return nil
	}
	var other any
	if err := json.Unmarshal([]byte(value), &other); err != nil {
		return err
	}
	v[dynamicconfig.MakeKey(name)] = other
	return nil
}

func address(ip string, port int) string { return fmt.Sprintf("%s:%d", ip, port) }

func freePort(ip string) int {
	listener, err := net.Listen("tcp", address(ip, 0))
	check(err)
	defer listener.Close()
	return listener.Addr().(*net.TCPAddr).Port
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
