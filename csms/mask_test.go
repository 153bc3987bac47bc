package csms

import (
	"encoding/json"
	"strings"
	"testing"
)

const pemKey = `-----BEGIN EC PRIVATE KEY-----\nMHcCAQEE\n-----END EC PRIVATE KEY-----\n`

// maskCases are messages and what is left of them; "" is all, byte for byte.
var maskCases = []struct{ action, text, want string }{
	{"ChangeConfiguration", `{"key":"AuthorizationKey","value":"0123abcd"}`, `{"key":"AuthorizationKey","value":"***"}`},
	{"ChangeConfiguration", `{"key":"AUTHORIZATIONkey","value":"0123abcd"}`, `{"key":"AUTHORIZATIONkey","value":"***"}`},
	{"ChangeConfiguration", `{ "value" : "0123abcd" , "key":"AuthorizationKey" }`, `{ "value" : "***" , "key":"AuthorizationKey" }`},
	{"ChangeConfiguration", `{"key":"Authorization\u004Bey","value":"0123abcd"}`, `{"key":"Authorization\u004Bey","value":"***"}`},
	{"ChangeConfiguration", `{"KEY":"AuthorizationKey","Value":{"a":["0123abcd"]}}`, `{"KEY":"AuthorizationKey","Value":"***"}`},
	{"ChangeConfiguration", `{"key":"x","key":"AuthorizationKey","value":"a","value":12}`, `{"key":"x","key":"AuthorizationKey","value":"***","value":"***"}`},
	{"ChangeConfiguration", `[2,"7","ChangeConfiguration",{"key":"AuthorizationKey","value":"0123"}]`, `[2,"7","ChangeConfiguration",{"key":"AuthorizationKey","value":"***"}]`},
	{"ChangeConfiguration", `{"key":"WifiPassword","value":"hunter2"}`, `{"key":"WifiPassword","value":"***"}`},
	{"ChangeConfiguration", `{"key":"MeterValueSampleInterval","value":"60" }`, ""},
	{"ChangeConfiguration", `{"key":"CentralSystemURL","value":"wss:\/\/cp:pw@example.com\/ocpp"}`, `{"key":"CentralSystemURL","value":"wss://cp:***@example.com/ocpp"}`},
	{"ChangeConfiguration", `{"key":"AuthorizationKey","value":"0123`, `"***"`},
	{"GetConfiguration", `{"key":["AuthorizationKey","ConnectionTimeOut"]}`, ""},
	{
		"GetConfiguration",
		`{"configurationKey":[{"key":"AuthorizationKey","readonly":false,"value":"0123"},{"key":"ConnectionTimeOut","readonly":false,"value":"60"}],"unknownKey":["A"]}`,
		`{"configurationKey":[{"key":"AuthorizationKey","readonly":false,"value":"***"},{"key":"ConnectionTimeOut","readonly":false,"value":"60"}],"unknownKey":["A"]}`,
	},
	{"GetConfiguration", `{"configurationKey":[{"key":"AuthorizationKey","readonly":true}]}`, ""},
	{"DataTransfer", `{"vendorId":"V","messageId":"SetAuthorizationKey","data":"0123"}`, `{"vendorId":"V","messageId":"SetAuthorizationKey","data":"***"}`},
	{"DataTransfer", `{"vendorId":"V","data":"{\"key\":\"AuthorizationKey\",\"value\":\"0123\"}"}`, `{"vendorId":"V","data":"***"}`},
	{"DataTransfer", `{"vendorId":"V","data":"authorizationkey=0123"}`, `{"vendorId":"V","data":"***"}`},
	{"DataTransfer", `{"vendorId":"V","data":{"AuthorizationKey":"0123","other":"x"}}`, `{"vendorId":"V","data":{"AuthorizationKey":"***","other":"x"}}`},
	{"DataTransfer", `{"vendorId":"V","messageId":"Price","data":"{\"kWh\":0.42}"}`, ""},
	{"", `[3,"7",{"configurationKey":[{"key":"AuthorizationKey","value":"0123"}]}]`, `[3,"7",{"configurationKey":[{"key":"AuthorizationKey","value":"***"}]}]`},
	{"GetDiagnostics", `{"location":"ftp://user:pass@host/dir"}`, `{"location":"ftp://user:***@host/dir"}`},
	{"GetDiagnostics", `{"location":"ftp://user:p@ss:word@host:21/dir"}`, `{"location":"ftp://user:***@host:21/dir"}`},
	{"GetDiagnostics", `{"location":"ftp://user:p/s#?s@host/dir"}`, `{"location":"ftp://user:***@host/dir"}`},
	{"GetDiagnostics", `{"location":"ftp:\/\/user:pass@host\/dir"}`, `{"location":"ftp://user:***@host/dir"}`},
	{"GetDiagnostics", `{"location":"ftp://user@host/dir:a@b"}`, ""},
	{"GetDiagnostics", `{"location":"ftp://host:21/a@b"}`, ""},
	{"GetDiagnostics", `{"location":"ftp://[::1]:21/a@b"}`, ""},
	{"UpdateFirmware", `{"location":"https://a:b@x/1 and https://c:d@y/2","retrieveDate":"2026-02-06T12:00:00Z"}`, `{"location":"https://a:***@x/1 and https://c:***@y/2","retrieveDate":"2026-02-06T12:00:00Z"}`},
	{"GetLog", `{"log":{"remoteLocation":"sftp://u:p@h/"},"logType":"SecurityLog","requestId":1}`, `{"log":{"remoteLocation":"sftp://u:***@h/"},"logType":"SecurityLog","requestId":1}`},
	{"SignedUpdateFirmware", `{"requestId":1,"firmware":{"location":"https://u:p@h/f","signature":"a\/b"}}`, `{"requestId":1,"firmware":{"location":"https://u:***@h/f","signature":"a\/b"}}`},
	{"InstallCertificate", `{"certificate":"` + pemKey + `-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----"}`, `{"certificate":"***\n-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----"}`},
	{"InstallCertificate", `{"certificate":"-----BEGIN PRIVATE KEY-----\nMIIB"}`, `{"certificate":"***"}`},
	{"MeterValues", `{"connectorId":1,"meterValue":[{"timestamp":"2026-02-06T12:00:00Z","sampledValue":[{"value":"1\t500"}]}]}`, ""},
	{"Heartbeat", ``, ""},
	{"Heartbeat", `not JSON \u0000 at all`, ""},
	{"Heartbeat", `not JSON, ftp:\/\/u:p\u0040h`, `"***"`},
}

func TestMask(t *testing.T) {
	for _, test := range maskCases {
		want := test.want
		if want == "" {
			want = test.text
		}
		if got := maskRequest(test.action, test.text); got != want {
			t.Errorf("%s %s:\n got %s\nwant %s", test.action, test.text, got, want)
		}
		if got := maskRequest(test.action, want); got != want {
			t.Errorf("%s %s masked again: %s", test.action, want, got)
		}
	}
}

func TestMaskAnswer(t *testing.T) {
	for _, test := range []struct{ action, text, want string }{
		{"ChangeConfiguration", `{"status":"Accepted"}`, `{"status":"Accepted"}`},
		{"ChangeConfiguration", `{"status":"Rejected","info":"0123","n":17}`, `{"status":"Rejected","info":"***","n":"***"}`},
		{"ChangeConfiguration", `[4,"7","GenericError","bad key 0123",{"value":"0123"}]`, `[4,"7","GenericError","***",{"value":"***"}]`},
		{"ChangeConfiguration", `[3,"7",{"status":"Accepted"}]`, `[3,"7",{"status":"Accepted"}]`},
		{"ChangeConfiguration", `[3,"7",{"info":"01`, `"***"`},
		{"GetConfiguration", `{"configurationKey":[{"key":"authorizationkey","value":"0123"}]}`, `{"configurationKey":[{"key":"authorizationkey","value":"***"}]}`},
		{"Reset", `{"status":"Accepted"}`, `{"status":"Accepted"}`},
	} {
		if got := maskAnswer(test.action, test.text); got != test.want {
			t.Errorf("%s %s:\n got %s\nwant %s", test.action, test.text, got, test.want)
		}
	}
}

// FuzzMask: what was JSON is JSON afterwards, what was masked is not masked
// further, and the secret of a setting is gone.
func FuzzMask(f *testing.F) {
	for _, test := range maskCases {
		f.Add(test.action, test.text)
	}
	f.Fuzz(func(t *testing.T, action, text string) {
		once := maskRequest(action, text)
		if json.Valid([]byte(text)) && !json.Valid([]byte(once)) {
			t.Fatalf("%s %q became %q, which is no JSON", action, text, once)
		}
		if twice := maskRequest(action, once); json.Valid([]byte(text)) && twice != once {
			t.Fatalf("%s %q became %q, then %q", action, text, once, twice)
		}
		value, err := json.Marshal("a secret: " + text)
		if err != nil {
			t.Fatal(err)
		}
		setting := `{"key":"AuthorizationKey","value":` + string(value) + `}`
		if got := maskRequest("ChangeConfiguration", setting); strings.Contains(got, "a secret") {
			t.Fatalf("%s became %s", setting, got)
		}
	})
}
