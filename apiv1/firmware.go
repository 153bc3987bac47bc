package apiv1

import (
	"context"
	"strings"

	"leyden"
	"leyden/csms"
	"leyden/rest"
)

// Maintenance is the side of stations that concerns firmware and logs. No
// error of it quotes a URL.
type Maintenance interface {
	// UpdateFirmware asks to fetch and install a firmware.
	UpdateFirmware(ctx context.Context, id leyden.StationID, u csms.FirmwareUpdate) error
	// UpdateSignedFirmware asks to fetch, check and install a firmware.
	UpdateSignedFirmware(ctx context.Context, id leyden.StationID, f csms.SignedFirmware) (csms.RequestAnswer, error)
	// Diagnostics asks to upload diagnostics, and returns the file's name, if there is one.
	Diagnostics(ctx context.Context, id leyden.StationID, r csms.LogRequest) (file string, err error)
	// Log asks to upload a log.
	Log(ctx context.Context, id leyden.StationID, r csms.LogRequest) (csms.RequestAnswer, error)
}

// Attempts are the properties of requests that transfer a file.
type Attempts struct {
	Retries       *int `json:"retries,omitempty" minimum:"0" maximum:"1000" doc:"How often to try again; as the charger likes when absent." example:"3"`
	RetryInterval *int `json:"retryInterval,omitempty" minimum:"0" maximum:"604800" doc:"Seconds between attempts." example:"60"`
}

func (t Attempts) asked() csms.Attempts {
	return csms.Attempts{Retries: t.Retries, Interval: t.RetryInterval}
}

type updateFirmwareInput struct {
	ChargerPath
	Body struct {
		Location     string    `json:"location" minLength:"1" maxLength:"2048" doc:"URL to fetch the firmware from." example:"https://files.example/pile-2.1.bin"`
		RetrieveDate rest.Time `json:"retrieveDate,omitempty" doc:"From when on to fetch it; now when absent." example:"2026-02-06T22:00:00.000Z"`
		Attempts
	} `nameHint:"V1UpdateFirmware"`
}

type signedUpdateInput struct {
	ChargerPath
	Body struct {
		Firmware struct {
			Location           string    `json:"location" minLength:"1" maxLength:"512" doc:"URL to fetch the firmware from." example:"https://files.example/pile-2.1.bin"`
			RetrieveDateTime   rest.Time `json:"retrieveDateTime,omitempty" doc:"From when on to fetch it; now when absent." example:"2026-02-06T22:00:00.000Z"`
			InstallDateTime    rest.Time `json:"installDateTime,omitempty" doc:"From when on to install it." example:"2026-02-07T02:00:00.000Z"`
			SigningCertificate string    `json:"signingCertificate" minLength:"1" maxLength:"5500" doc:"The certificate that it was signed with, PEM." example:"-----BEGIN CERTIFICATE-----\n…\n-----END CERTIFICATE-----\n"`
			Signature          string    `json:"signature" minLength:"1" maxLength:"800" doc:"The signature, base64." example:"MEUCIQD…"`
		} `json:"firmware"`
		Attempts
	} `nameHint:"V1SignedUpdateFirmware"`
}

type diagnosticsInput struct {
	ChargerPath
	Body struct {
		Location  string    `json:"location" minLength:"1" maxLength:"2048" doc:"URL of the folder to upload to." example:"ftp://files.example/diagnostics"`
		StartTime rest.Time `json:"startTime,omitempty" doc:"Only what happened then or later." example:"2026-02-05T00:00:00.000Z"`
		StopTime  rest.Time `json:"stopTime,omitempty" doc:"Only what happened before." example:"2026-02-06T00:00:00.000Z"`
		Attempts
	} `nameHint:"V1Diagnostics"`
}

type logInput struct {
	ChargerPath
	Body struct {
		LogType         string    `json:"logType" enum:"DiagnosticsLog,SecurityLog" example:"SecurityLog"`
		RemoteLocation  string    `json:"remoteLocation" minLength:"1" maxLength:"512" doc:"URL of the folder to upload to." example:"https://files.example/logs"`
		OldestTimestamp rest.Time `json:"oldestTimestamp,omitempty" doc:"Only what happened then or later." example:"2026-02-05T00:00:00.000Z"`
		LatestTimestamp rest.Time `json:"latestTimestamp,omitempty" doc:"Only what happened before." example:"2026-02-06T00:00:00.000Z"`
		Attempts
	} `nameHint:"V1Log"`
}

// updateAnswer is what a charger answered to a firmware.
type updateAnswer struct {
	Status *string `json:"status" doc:"The charger's word. OCPP 1.6 has none here, so it is null: notifications of kind firmware tell how the update goes."`
}

// diagnosticsAnswer is what a charger answered when asked for diagnostics.
type diagnosticsAnswer struct {
	FileName *string `json:"fileName" doc:"The file that it is going to upload; null when there is none." example:"diagnostics-2026-02-06.zip"`
}

// RequestAnswer is what a charger answered to what it was asked to do aside.
type RequestAnswer struct {
	Status    string `json:"status" doc:"As OCPP names it. Rejected is refused with 409 instead." example:"Accepted"`
	RequestID int    `json:"requestId" doc:"Notifications about it name this number." example:"3153600"`
}

// logAnswer is what a charger answered when asked for a log.
type logAnswer struct {
	RequestAnswer
	Filename *string `json:"filename" doc:"The file that it is going to upload; null when it did not say." example:"security.log"`
}

func (a *api) serveFirmware() {
	command(a, rest.Operation{
		Path: "/firmware/update", ID: "v1UpdateFirmware", Summary: "Update the firmware",
		Description: "OCPP UpdateFirmware: the charger fetches the firmware and installs it. How that goes it tells with notifications of kind `firmware`.",
	}, a.updateFirmware)
	command(a, rest.Operation{
		Path: "/firmware/signed-update", ID: "v1SignedUpdateFirmware", Summary: "Update the firmware, signed",
		Description: "OCPP SignedUpdateFirmware: the charger fetches the firmware, checks its signature and installs it. " +
			"Answers Accepted, AcceptedCanceled (an update that ran is given up), InvalidCertificate or RevokedCertificate. " +
			"`GET /chargers/{chargeBoxId}/notifications?requestId=…` tells how it goes.",
	}, a.updateSignedFirmware)
	command(a, rest.Operation{
		Path: "/diagnostics", ID: "v1GetDiagnostics", Summary: "Ask for diagnostics",
		Description: "OCPP GetDiagnostics: the charger uploads a file with its diagnostics. How that goes it tells with notifications of kind `diagnostics`.",
	}, a.diagnostics)
	command(a, rest.Operation{
		Path: "/log", ID: "v1GetLog", Summary: "Ask for a log",
		Description: "OCPP GetLog, of the security extension: the charger uploads one of its logs. Answers Accepted, or AcceptedCanceled (an upload that ran is given up). " +
			"`GET /chargers/{chargeBoxId}/notifications?requestId=…` tells how it goes.",
	}, a.log)
}

func (a *api) updateFirmware(ctx context.Context, in *updateFirmwareInput) (*bodied[updateAnswer], error) {
	s, err := a.charger(ctx, in.Ref)
	if err != nil {
		return nil, err
	}
	return &bodied[updateAnswer]{}, a.Stations.UpdateFirmware(ctx, s.ID, csms.FirmwareUpdate{
		Location: in.Body.Location, RetrieveAt: in.Body.RetrieveDate.Time, Attempts: in.Body.asked(),
	})
}

func (a *api) updateSignedFirmware(ctx context.Context, in *signedUpdateInput) (*bodied[RequestAnswer], error) {
	s, err := a.charger(ctx, in.Ref)
	if err != nil {
		return nil, err
	}
	f := &in.Body.Firmware
	answer, err := a.Stations.UpdateSignedFirmware(ctx, s.ID, csms.SignedFirmware{
		FirmwareUpdate: csms.FirmwareUpdate{Location: f.Location, RetrieveAt: f.RetrieveDateTime.Time, Attempts: in.Body.asked()},
		InstallAt:      f.InstallDateTime.Time, Certificate: f.SigningCertificate, Signature: f.Signature,
	})
	if err != nil {
		return nil, err
	}
	out, err := presentRequest(answer)
	return &bodied[RequestAnswer]{out}, err
}

func (a *api) diagnostics(ctx context.Context, in *diagnosticsInput) (*bodied[diagnosticsAnswer], error) {
	s, err := a.charger(ctx, in.Ref)
	if err != nil {
		return nil, err
	}
	file, err := a.Stations.Diagnostics(ctx, s.ID, csms.LogRequest{
		Location: in.Body.Location, Window: leyden.Window{From: in.Body.StartTime.Time, To: in.Body.StopTime.Time}, Attempts: in.Body.asked(),
	})
	return &bodied[diagnosticsAnswer]{diagnosticsAnswer{orNull(file)}}, err
}

func (a *api) log(ctx context.Context, in *logInput) (*bodied[logAnswer], error) {
	s, err := a.charger(ctx, in.Ref)
	if err != nil {
		return nil, err
	}
	answer, err := a.Stations.Log(ctx, s.ID, csms.LogRequest{
		Kind: in.Body.LogType, Location: in.Body.RemoteLocation,
		Window: leyden.Window{From: in.Body.OldestTimestamp.Time, To: in.Body.LatestTimestamp.Time}, Attempts: in.Body.asked(),
	})
	if err != nil {
		return nil, err
	}
	out, err := presentRequest(answer)
	return &bodied[logAnswer]{logAnswer{out, orNull(answer.File)}}, err
}

// presentRequest shows what a charger answered, or refuses what it rejected.
func presentRequest(answer csms.RequestAnswer) (RequestAnswer, error) {
	if strings.EqualFold(answer.Status, statusRejected) {
		return RequestAnswer{}, rejected()
	}
	return RequestAnswer{answer.Status, answer.Request}, nil
}
