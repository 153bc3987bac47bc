package csms

import (
	"context"

	"leyden/ocpp"
	"leyden/ocpp/v16"
)

// updateFirmware16 gets no word in answer (OCPP 1.6 §5.19): what becomes of it
// is told by FirmwareStatusNotification.
func updateFirmware16(ctx context.Context, s *session, u FirmwareUpdate) error {
	return s.call(ctx, &v16.UpdateFirmware{
		Location: u.Location, RetrieveDate: u.RetrieveAt, Retries: given(u.Retries), RetryInterval: given(u.Interval),
	}, &v16.UpdateFirmwareResponse{})
}

func signedUpdateFirmware16(ctx context.Context, s *session, request int, f SignedFirmware) (string, error) {
	var res v16.SignedUpdateFirmwareResponse
	err := s.call(ctx, &v16.SignedUpdateFirmware{
		RequestID: request, Retries: given(f.Retries), RetryInterval: given(f.Interval),
		Firmware: v16.Firmware{
			Location: f.Location, RetrieveDateTime: f.RetrieveAt, InstallDateTime: someUnlessZero(f.InstallAt),
			SigningCertificate: f.Certificate, Signature: f.Signature,
		},
	}, &res)
	return string(res.Status), err
}

func getDiagnostics16(ctx context.Context, s *session, r LogRequest) (file string, err error) {
	var res v16.GetDiagnosticsResponse
	err = s.call(ctx, &v16.GetDiagnostics{
		Location: r.Location, Retries: given(r.Retries), RetryInterval: given(r.Interval),
		StartTime: someUnlessZero(r.Window.From), StopTime: someUnlessZero(r.Window.To),
	}, &res)
	return res.FileName.Or(""), err
}

func getLog16(ctx context.Context, s *session, request int, r LogRequest) (status, file string, err error) {
	var res v16.GetLogResponse
	err = s.call(ctx, &v16.GetLog{
		LogType: v16.LogType(r.Kind), RequestID: request, Retries: given(r.Retries), RetryInterval: given(r.Interval),
		Log: v16.LogParameters{
			RemoteLocation: r.Location, OldestTimestamp: someUnlessZero(r.Window.From), LatestTimestamp: someUnlessZero(r.Window.To),
		},
	}, &res)
	return string(res.Status), res.Filename.Or(""), err
}

// given returns a number that is absent when it is nil.
func given(n *int) ocpp.Opt[int] {
	if n == nil {
		return ocpp.Opt[int]{}
	}
	return ocpp.Some(*n)
}
