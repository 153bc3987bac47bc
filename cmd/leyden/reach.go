package main

import (
	"errors"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"

	"leyden"
	"leyden/auth"
)

// reachFile, in a data folder, holds the URL at which stations reach the server
// that served from it last: one line, without the identity. It serves for nothing
// but to tell people.
const reachFile = "stations.url"

// reach returns the URL at which stations reach the node. Where it listens on all
// addresses nobody knows by which name that is.
func (n *node) reach() string {
	url := strings.TrimSuffix(n.settings.publicURL, "/")
	if url == "" {
		url = n.url
		if addr, ok := n.listener.Addr().(*net.TCPAddr); ok && addr.IP.IsUnspecified() {
			url = strings.Replace(url, "127.0.0.1", "HOST", 1)
		}
	}
	return "ws" + strings.TrimPrefix(url, "http") + "/ocpp"
}

// noteReach writes the file. Without it nothing fails.
func (n *node) noteReach(data string) {
	if err := os.WriteFile(filepath.Join(data, reachFile), []byte(n.reach()+"\n"), 0o644); err != nil {
		n.log.Warn("commands beside the server cannot tell where stations reach it", "err", err)
	}
}

// stationURL returns the URL that a station connects to which has to prove a
// security profile, as far as the data folder knows.
func stationURL(data string, id leyden.StationID, p auth.Profile) (string, error) {
	text, err := os.ReadFile(filepath.Join(data, reachFile))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", err
	}
	base, _, _ := strings.Cut(string(text), "\n")
	needsTLS := p.Number() >= auth.ProfileBasicTLS.Number()
	switch {
	case needsTLS && !strings.HasPrefix(base, "wss://"): // not by what served last
		base = "wss://HOST/ocpp"
	case base == "":
		base = "ws://HOST/ocpp"
	}
	url := base + "/" + string(id)
	if len(text) == 0 && !needsTLS {
		url += ", wss:// if the server speaks TLS"
	}
	return url, nil
}
