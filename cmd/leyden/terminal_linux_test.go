package main

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// onTerminal runs a leyden whose standard error is a terminal, and returns what
// that showed.
func onTerminal(t *testing.T, args ...string) string {
	t.Helper()
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Skipf("no terminals here: %v", err)
	}
	defer master.Close()
	fd := int(master.Fd())
	number, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	if err == nil {
		err = unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0)
	}
	if err == nil {
		err = unix.IoctlSetWinsize(fd, unix.TIOCSWINSZ, &unix.Winsize{Row: 24, Col: 120})
	}
	if err != nil {
		t.Fatal(err)
	}
	slave, err := os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("leyden", args...)
	cmd.Env, cmd.Stderr = environment("TERM=xterm"), slave
	p := startProcess(t, cmd)
	if err := slave.Close(); err != nil {
		t.Fatal(err)
	}
	shown := make(chan string, 1)
	go func() {
		text, _ := io.ReadAll(master) // it ends with EIO when the other end is gone
		shown <- string(text)
	}()
	if err := p.wait(); err != nil {
		t.Errorf("leyden %s: %v", strings.Join(args, " "), err)
	}
	return within(t, "the terminal is closed", shown)
}

func TestProgress(t *testing.T) {
	t.Parallel()
	data := filepath.Join(t.TempDir(), "data")
	p := startServer(t, "--data", data)
	shown := onTerminal(t, "simulate", "--url", p.websocket(), "--data", data, "--stations", "2", "--sessions", "3", "--speed", "1000")
	if !strings.Contains(shown, "2 online") || !strings.Contains(shown, "/6") {
		t.Errorf("simulate showed %q", shown)
	}
	shown = onTerminal(t, "bench", "--stations", "2", "--duration", "1s", "--warmup", "0s")
	if !strings.Contains(shown, "measuring") {
		t.Errorf("bench showed %q", shown)
	}
	// Where nobody looks there is nothing of it.
	if _, stderr, err := runLeyden(t, "simulate", "--url", p.websocket(), "--data", data, "--speed", "5000"); err != nil || stderr != "" {
		t.Errorf("simulate said %q, %v", stderr, err)
	}
}
