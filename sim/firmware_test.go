package sim_test

import (
	"encoding/base64"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"leyden/ocpp"
	"leyden/ocpp/v16"
)

// news returns what the station said of firmware, files and security since the
// n-th message, in order.
func (c *central) news(n int) string {
	var words []string
	for _, m := range c.since(n) {
		switch m := m.(type) {
		case *v16.FirmwareStatusNotification:
			words = append(words, string(m.Status))
		case *v16.SignedFirmwareStatusNotification:
			words = append(words, fmt.Sprintf("%s/%d", m.Status, m.RequestID.Or(-1)))
		case *v16.DiagnosticsStatusNotification:
			words = append(words, string(m.Status))
		case *v16.LogStatusNotification:
			words = append(words, fmt.Sprintf("%s/%d", m.Status, m.RequestID.Or(-1)))
		case *v16.SecurityEventNotification:
			words = append(words, "!"+m.Type)
		case *v16.BootNotification:
			words = append(words, m.FirmwareVersion.Or("boot"))
		}
	}
	return strings.Join(words, " ")
}

func (c *central) wantNews(what string, n int, want string) {
	c.t.Helper()
	if got := c.news(n); got != want {
		c.t.Errorf("%s: told was\n%s, want\n%s", what, got, want)
	}
}

// since returns what was said after the first n messages.
func (c *central) since(n int) []ocpp.Request {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.said[n:])
}

// pages returns how many messages were said.
func (c *central) pages() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.said)
}

func TestUpdateFirmware(t *testing.T) {
	for _, test := range []struct{ location, want string }{
		{"ftp://example.org/new.bin", "Downloading Downloaded Installing %s !StartupOfTheDevice Installed"},
		{"nowhere", "Downloading DownloadFailed"},
		{"https://example.org/corrupt.bin", "Downloading Downloaded Installing InstallationFailed"},
	} {
		c := newCentral(t)
		passive(t, 1, c, func() {
			old := c.news(0)
			c.remoteStart(1, "TAG")
			sleep(time.Minute)
			n := c.pages()
			c.call(station, &v16.UpdateFirmware{
				Location: test.location, RetrieveDate: time.Now().Add(5 * time.Minute), Retries: ocpp.Some(1), RetryInterval: ocpp.Some(10),
			}, new(v16.UpdateFirmwareResponse))
			sleep(4 * time.Minute)
			c.wantNews("too early", n, "")
			sleep(10 * time.Minute)
			if got := c.news(n); strings.Contains(got, "Installing") || !strings.HasPrefix(test.want, strings.TrimSuffix(got, " DownloadFailed")) {
				t.Errorf("during a charge told was %s", got)
			}
			c.remoteStop(1)
			sleep(10 * time.Minute)
			want := test.want
			if strings.Contains(want, "%s") {
				want = fmt.Sprintf(want, strings.Replace(strings.Fields(old)[0], "1.0.", "1.1.", 1))
			}
			c.wantNews(test.location, n, want)
			c.wantStatus(1, "Available")
		})
	}
}

func (c *central) signedUpdate(id int, location, cert, signature string, want v16.SignedUpdateFirmwareStatus) {
	c.t.Helper()
	var res v16.SignedUpdateFirmwareResponse
	c.call(station, &v16.SignedUpdateFirmware{RequestID: id, Firmware: v16.Firmware{
		Location: location, RetrieveDateTime: time.Now().Add(time.Minute), InstallDateTime: ocpp.Some(time.Now().Add(time.Hour)),
		SigningCertificate: cert, Signature: signature,
	}}, &res)
	if res.Status != want {
		c.t.Errorf("signed update %d is %s, want %s", id, res.Status, want)
	}
	sleep(time.Millisecond)
}

func TestSignedUpdateFirmware(t *testing.T) {
	c := newCentral(t)
	cert, _ := authority(t, "Maker", 1)
	signature := base64.StdEncoding.EncodeToString([]byte("a signature"))
	passive(t, 1, c, func() {
		n := c.pages()
		c.signedUpdate(1, "https://example.org/a", "no certificate", signature, "InvalidCertificate")
		c.signedUpdate(2, "https://example.org/a", cert, "", "InvalidCertificate")
		c.wantNews("invalid", n, "!InvalidFirmwareSigningCertificate !InvalidFirmwareSigningCertificate")
		n = c.pages()
		c.signedUpdate(3, "https://example.org/a", cert, signature, "Accepted")
		sleep(80 * time.Second)
		c.wantNews("begun", n, "DownloadScheduled/3 Downloading/3")
		n = c.pages()
		c.signedUpdate(4, "https://example.org/b", cert, signature, "AcceptedCanceled")
		sleep(2 * time.Hour)
		got := c.news(n)
		if before, version, ok := strings.Cut(got, " 1.1."); ok {
			got = before + version[strings.Index(version, " "):]
		}
		want := "DownloadScheduled/4 Downloading/4 Downloaded/4 SignatureVerified/4 InstallScheduled/4 Installing/4 " +
			"InstallRebooting/4 !StartupOfTheDevice Installed/4 !FirmwareUpdated"
		if got != want {
			t.Errorf("told was\n%s, want\n%s", got, want)
		}
		n = c.pages()
		c.signedUpdate(5, "https://example.org/corrupt", cert, signature, "Accepted")
		sleep(5 * time.Minute)
		c.wantNews("corrupt", n, "DownloadScheduled/5 Downloading/5 Downloaded/5 InvalidSignature/5 !InvalidFirmwareSignature")
	})
}

func TestFiles(t *testing.T) {
	c := newCentral(t)
	getLog := func(id int, location string, want v16.LogStatus) {
		t.Helper()
		var res v16.GetLogResponse
		c.call(station, &v16.GetLog{LogType: "SecurityLog", RequestID: id, Log: v16.LogParameters{RemoteLocation: location}}, &res)
		if res.Status != want || res.Filename.Value == "" {
			t.Errorf("log %d: %+v, want %s", id, res, want)
		}
		sleep(time.Millisecond)
	}
	passive(t, 1, c, func() {
		n := c.pages()
		var res v16.GetDiagnosticsResponse
		c.call(station, &v16.GetDiagnostics{Location: "ftp://example.org/logs"}, &res)
		sleep(time.Minute)
		c.wantNews("diagnostics", n, "Uploading Uploaded")
		if res.FileName.Value == "" {
			t.Error("the file has no name")
		}
		n = c.pages()
		c.call(station, &v16.GetDiagnostics{Location: "here", Retries: ocpp.Some(2), RetryInterval: ocpp.Some(1)}, &res)
		sleep(2 * time.Minute)
		c.wantNews("diagnostics to nowhere", n, "Uploading UploadFailed")
		n = c.pages()
		getLog(1, "https://example.org", "Accepted")
		getLog(2, "https://example.org", "AcceptedCanceled")
		sleep(time.Minute)
		getLog(3, "nowhere", "Accepted")
		sleep(time.Minute)
		c.wantNews("logs", n, "Uploading/1 Uploading/2 Uploaded/2 Uploading/3 UploadFailure/3")
	})
}

// TestNewsWaitForAConnection: what happened while the station was cut off is told
// afterwards.
func TestNewsWaitForAConnection(t *testing.T) {
	c := newCentral(t)
	passive(t, 1, c, func() {
		n := c.pages()
		var res v16.GetDiagnosticsResponse
		c.call(station, &v16.GetDiagnostics{Location: "ftp://example.org/logs"}, &res)
		sleep(10 * time.Second)
		if err := c.conns[station].Close(ocpp.CloseAbnormal, ""); err != nil {
			t.Error(err)
		}
		var reset v16.ResetResponse
		sleep(5 * time.Second)
		c.call(station, &v16.Reset{Type: v16.ResetTypeHard}, &reset)
		sleep(time.Minute)
		if got := c.news(n); !strings.Contains(got, "Uploading") || !strings.Contains(got, "!StartupOfTheDevice") ||
			!strings.Contains(got, "!ResetOrReboot") || !strings.HasSuffix(got, "Uploaded") {
			t.Errorf("told was %s", got)
		}
	})
}
