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
	{"ChangeConfiguration", `{"key":"SimPin","value":"1234"}`, `{"key":"SimPin","value":"***"}`},
	{"ChangeConfiguration", `{"key":"MaxIdTokenLength","value":"20"}`, ""},
	{"DataTransfer", `{"vendorId":"V","data":"{\"pin\":1234,\"kWh\":1}"}`, `{"vendorId":"V","data":"{\"pin\":***\"kWh\":1}"}`},
	{"DataTransfer", `{"vendorId":"V","data":[{"name":"ftp_passwd","value":{"a":[1]}},{"name":"volume","value":3}]}`, `{"vendorId":"V","data":[{"name":"ftp_passwd","value":"***"},{"name":"volume","value":3}]}`},
	{"BootNotification", `{"chargePointModel":"M","apiKey":"abc","accessToken":{"t":1},"passwordSet":true,"token":null}`, `{"chargePointModel":"M","apiKey":"***","accessToken":"***","passwordSet":true,"token":null}`},
	{"StartTransaction", `{"connectorId":1,"idTag":"EV:12@op.example/1","idToken":"x","timestamp":"2026-02-06T12:00:00Z"}`, ""},
	{"Heartbeat", `[2,"a:b@host.example/1","Heartbeat",{}]`, ""},
	{"SecurityEventNotification", `{"type":"InvalidFirmwareSignature","techInfo":"https://h.example/f?sig=a%2Fb&v=2","timestamp":"2026-02-06T12:00:00Z"}`, `{"type":"InvalidFirmwareSignature","techInfo":"https://h.example/f?sig=***&v=2","timestamp":"2026-02-06T12:00:00Z"}`},
	{"GetLog", `{"log":{"remoteLocation":"u:p@h.example/logs"},"logType":"SecurityLog","requestId":1}`, `{"log":{"remoteLocation":"u:***@h.example/logs"},"logType":"SecurityLog","requestId":1}`},
	{"FirmwareStatusNotification", `{"status":"Downloading","pin":"12`, `"***"`},
	{"MeterValues", `{"connectorId":1,"meterValue":[{"timestamp":"2026-02-06T12:00:00Z","sampledValue":[{"value":"1\t500"}]}]}`, ""},
	{"", `{"note":"use lk_q7c3n5tk_abcdefghijklmnopqrstuvwxyz234567, not ls_q7c3n5tk_abcdefghijklmnopqrstuvwxyz234567"}`, `{"note":"use lk_q7c3n5tk_***, not ls_q7c3n5tk_***"}`},
	{"", `{"x":[{"y":"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"}]}`, `{"x":[{"y":"whsec_***"}]}`},
	{"", `["whsec_MfKQ9r8GKYqrTwjU\/D8I+PZIo2LaLaSw==","\u006ck_q7c3n5tk_abcdefghijklmnopqrstuvwxyz234567"]`, `["whsec_***","lk_q7c3n5tk_***"]`},
	{"", `{"lk_q7c3n5tk_abcdefghijklmnopqrstuvwxyz234567":1}`, `{"lk_q7c3n5tk_***":1}`},
	{"", `{"idTag":"lk_q7c3n5tk_abcdefghijklmnopqrstuvwxyz234567"}`, `{"idTag":"lk_q7c3n5tk_***"}`},
	{"", `"lk_q7c3n5tk_abcdefghijklmnopqrstuvwxyz234567"`, `"lk_q7c3n5tk_***"`},
	{"", `{"x":"eyJhbGciOiJFZERTQSJ9.eyJqdGkiOiJhdF8xIn0.c2lnbmF0dXJlLXRleHQ"}`, `{"x":"***"}`},
	{"DataTransfer", `{"vendorId":"V","data":"lk_q7c3n5tk_abcdefghijklmnopqrstuvwxyz234567`, `"***"`},
	{"", `{"prefix":"lk_q7c3n5tk","id":"key_01jm2v8xkq4w7c5n3t6y9b2d4f","list":"ls_q7c3n5tk_x","kind":"whsec_"}`, ""},
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

// secretTexts are texts and what is left of them; "" is all.
var secretTexts = []struct{ text, want string }{
	{"ftp://u:pw@h/a", "ftp://u:***@h/a"},
	{"u:pw@h.example/a", "u:***@h.example/a"},
	{"get u:p/w@h.example:21/a now", "get u:***@h.example:21/a now"},
	{`"u:p:w@[::1]/a"`, `"u:***@[::1]/a"`},
	{"u:pw@localhost", "u:***@localhost"},
	{"host.example:21/a@b", ""},
	{"at 12:30@noon", ""},
	{"mailto:me@host.example", ""},
	{"me@host.example:25", ""},
	{"https://h/f?X-Amz-Credential=AK%2F1&X-Amz-Date=2&X-Amz-Signature=ab12#x", "https://h/f?X-Amz-Credential=***&X-Amz-Date=2&X-Amz-Signature=***#x"},
	{"https://h/f?sv=1&sig=a%3D&se=2", "https://h/f?sv=1&sig=***&se=2"},
	{"https://h/f?key=k&signature=s&access_token=t&password=p&%73ig=s&n=1", "https://h/f?key=***&signature=***&access_token=***&password=***&%73ig=***&n=1"},
	{"https://h/f?idToken=USER123&monkey=1&signed=no", ""},
	{"password=hunter2, user=x", "password=*** user=x"},
	{"Passwd : 'hunter 2' ok", "Passwd : '***' ok"},
	{`{"password":"a b\"c"}`, `{"password":"***"}`},
	{`{\"wifi_psk\":\"a b\",\"n\":1}`, `{\"wifi_psk\":\"***\",\"n\":1}`},
	{"secret: {a: b}", "secret: ***"},
	{"PIN=1234", "PIN=***"},
	{"ping=1234 mapping: 3 spin:1 idToken=USER123", ""},
	{"CA0pin== and xPIN==", ""},
	{"the AuthorizationKey is read only", ""},
	{"-----BEGIN ENCRYPTED PRIVATE KEY-----\nMIIB\n-----END ENCRYPTED PRIVATE KEY-----", "***"},
	{"-----BEGIN PUBLIC KEY-----\nMIIB\n-----END PUBLIC KEY-----", ""},
	{"2026-02-06T12:00:00Z", ""},
	{"", ""},
}

func TestMaskText(t *testing.T) {
	for _, test := range secretTexts {
		want := test.want
		if want == "" {
			want = test.text
		}
		if got := maskText(test.text); got != want {
			t.Errorf("%s:\n got %s\nwant %s", test.text, got, want)
		}
		if got := maskText(want); got != want {
			t.Errorf("%s masked again: %s", want, got)
		}
	}
}

func TestMaskWords(t *testing.T) {
	for words, want := range map[string]string{
		"cannot log in to ftp://u:pw@h/": "cannot log in to ftp://u:***@h/",
		"AuthorizationKey 0123 is bad":   "***",
		"wrong pass word hunter2":        "***",
		"no such message":                "no such message",
	} {
		if got := maskWords(words); got != want {
			t.Errorf("%s became %s; want %s", words, got, want)
		}
	}
}

func TestSecretName(t *testing.T) {
	for _, name := range []string{
		"AuthorizationKey", "authorizationkey", "BasicAuthPassword", "ftp_passwd", "WiFi-Passphrase", "ClientSecret", "accessToken", "TOKEN",
		"ApiKey", "api_key", "API-Key", "Credentials", "PrivateKey", "PIN", "SimPin", "SIMPIN", "sim_pin1", "pinCode", "PINCode", "WifiPSK", "PUK", "ApnPwd", "FtpPass",
	} {
		if !secretName(name) {
			t.Errorf("%s is no secret", name)
		}
	}
	for _, name := range []string{
		"", "idTag", "idToken", "IdToken", "id_token", "MaxIdTokenLength", "parentIdTag", "key", "value", "WebSocketPingInterval", "mapping", "ShippingDate", "OpinionPoll", "bypass",
		"MeterPublicKey1", "issuerKeyHash", "AuthorizeRemoteTxRequests", "AuthorizationCacheEnabled", "SecurityProfile", "CpoName", "signature", "signingCertificate",
		"CertificateSignedMaxChainSize", "SupportedFeatureProfiles", "ConnectorPhaseRotation", "StopTransactionOnInvalidId", "serialNumber",
	} {
		if secretName(name) {
			t.Errorf("%s is a secret", name)
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
	for _, test := range secretTexts {
		f.Add("DataTransfer", test.text)
	}
	f.Fuzz(func(t *testing.T, action, text string) {
		if plain(text) && suspicious(text) {
			t.Fatalf("%q is taken for plain", text)
		}
		once := maskRequest(action, text)
		if json.Valid([]byte(text)) && !json.Valid([]byte(once)) {
			t.Fatalf("%s %q became %q, which is no JSON", action, text, once)
		}
		if twice := maskRequest(action, once); twice != once {
			t.Fatalf("%s %q became %q, then %q", action, text, once, twice)
		}
		once = maskText(text)
		if twice := maskText(once); twice != once {
			t.Fatalf("%q became %q, then %q", text, once, twice)
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
