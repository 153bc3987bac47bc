package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestNPMClient runs the tests of clients/npm at a real server at which simulated
// chargers charge, and proves its types where the compiler is installed.
func TestNPMClient(t *testing.T) {
	t.Parallel()
	folder := filepath.Join(root, "clients", "npm")
	version, err := exec.Command("node", "--version").Output()
	if err != nil || strings.HasPrefix(string(version), "v1") {
		t.Skip("the npm client is not tested: install Node.js 20 or newer, e.g. `apt-get install nodejs npm`")
	}
	p := startServer(t, "--data", filepath.Join(t.TempDir(), "data"), "--admission", "open", "--webhooks-allow", "127.0.0.1")
	chargers := "ws" + strings.TrimPrefix(p.url, "http") + "/ocpp"
	must(t, "simulate", "--url", chargers, "--sessions", "2", "--speed", "100000")
	launch(t, nil, "simulate", "--url", chargers, "--station", "NPM-0001", "--duration", "1h", "--speed", "600")
	runNode(t, folder, []string{"LEYDEN_URL=" + p.url, "LEYDEN_KEY=" + adminKey}, "--test", "test/")
	compiler := filepath.Join("node_modules", "typescript", "bin", "tsc")
	if _, err := os.Stat(filepath.Join(folder, compiler)); err != nil {
		t.Log("the types of the npm client are not tested: run `npm ci` in clients/npm")
		return
	}
	runNode(t, folder, nil, compiler, "--noEmit")
}

func runNode(t *testing.T, folder string, env []string, args ...string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "node", args...)
	cmd.Dir, cmd.Env = folder, environment(env...)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("node %s: %v\n%s", strings.Join(args, " "), err, out)
	}
}
