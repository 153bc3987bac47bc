package sim

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"leyden/ocpp"
	"leyden/ocpp/v16"
)

// A keyKind says what values a configuration key takes.
type keyKind int

const (
	textKey keyKind = iota
	countKey
	switchKey
	fixedKey  // cannot be changed
	secretKey // cannot be read
)

// The configuration keys that the simulation acts on (OCPP 1.6 §9).
const (
	keyAuthorization     = "AuthorizationKey"
	keyAuthorizeRemote   = "AuthorizeRemoteTxRequests"
	keyConnectionTimeOut = "ConnectionTimeOut"
	keyHeartbeat         = "HeartbeatInterval"
	keyAuthorizeOffline  = "LocalAuthorizeOffline"
	keyListEnabled       = "LocalAuthListEnabled"
	keyOperator          = "CpoName"
	keyPreAuthorize      = "LocalPreAuthorize"
	keySampleInterval    = "MeterValueSampleInterval"
	keySampled           = "MeterValuesSampledData"
	keyStopOnUnplug      = "StopTransactionOnEVSideDisconnect"
	keyStopOnInvalid     = "StopTransactionOnInvalidId"
	keyStopSampled       = "StopTxnSampledData"
	keyAttempts          = "TransactionMessageAttempts"
	keyRetryInterval     = "TransactionMessageRetryInterval"
	keySecurityProfile   = "SecurityProfile"
	keyUnknownOffline    = "AllowOfflineTxForUnknownId"
)

// A setting is one configuration key and its value.
type setting struct {
	key   string
	value string
	kind  keyKind
}

// A configuration is a station's key store, in the order in which it is told.
type configuration []setting

// newConfiguration returns what a station of those traits, which comes at a
// security profile, is delivered with.
func newConfiguration(o *Options, t traits, profile int) configuration {
	sampled := "Energy.Active.Import.Register,Power.Active.Import,Current.Import,Voltage"
	if t.dc {
		sampled = "Energy.Active.Import.Register,Power.Active.Import,SoC"
	}
	stopSampled := ""
	if t.attaches {
		stopSampled = sampled
	}
	return configuration{
		{keyUnknownOffline, "true", switchKey},
		{keyAuthorization, "", secretKey},
		{keyAuthorizeRemote, "false", switchKey},
		{"CertificateStoreMaxLength", strconv.Itoa(maxRoots), fixedKey},
		{"ChargeProfileMaxStackLevel", strconv.Itoa(maxStackLevel), fixedKey},
		{"ChargingScheduleAllowedChargingRateUnit", "Current,Power", fixedKey},
		{"ChargingScheduleMaxPeriods", strconv.Itoa(maxPeriods), fixedKey},
		{"ClockAlignedDataInterval", "0", countKey},
		{keyConnectionTimeOut, "120", countKey},
		{"ConnectorPhaseRotation", "NotApplicable", textKey},
		{"ConnectorSwitch3to1PhaseSupported", "false", fixedKey},
		{keyOperator, "", textKey},
		{"GetConfigurationMaxKeys", "50", fixedKey},
		{keyHeartbeat, "300", countKey},
		{keyAuthorizeOffline, "true", switchKey},
		{keyListEnabled, "true", switchKey},
		{"LocalAuthListMaxLength", strconv.Itoa(maxListed), fixedKey},
		{keyPreAuthorize, "false", switchKey},
		{"MaxChargingProfilesInstalled", strconv.Itoa(maxProfiles), fixedKey},
		{"MeterValuesAlignedData", "", textKey},
		{keySampled, sampled, textKey},
		{keySampleInterval, strconv.Itoa(int(o.SampleInterval / time.Second)), countKey},
		{"NumberOfConnectors", strconv.Itoa(o.Connectors), fixedKey},
		{"ReserveConnectorZeroSupported", "true", fixedKey},
		{"ResetRetries", "3", countKey},
		{keySecurityProfile, strconv.Itoa(profile), countKey},
		{"SendLocalListMaxLength", strconv.Itoa(maxSent), fixedKey},
		{keyStopOnUnplug, "true", switchKey},
		{keyStopOnInvalid, "true", switchKey},
		{"StopTxnAlignedData", "", textKey},
		{keyStopSampled, stopSampled, textKey},
		{"SupportedFeatureProfiles", "Core,FirmwareManagement,LocalAuthListManagement,Reservation,SmartCharging,RemoteTrigger", fixedKey},
		{keyAttempts, "3", countKey},
		{keyRetryInterval, "10", countKey},
		{"UnlockConnectorOnEVSideDisconnect", "true", switchKey},
	}
}

func (c configuration) find(key string) *setting {
	i := slices.IndexFunc(c, func(s setting) bool { return strings.EqualFold(s.key, key) })
	if i < 0 {
		return nil
	}
	return &c[i]
}

func (c configuration) text(key string) string { return c.find(key).value }

func (c configuration) on(key string) bool { return c.text(key) == "true" }

// count returns a number, which change has seen to be one.
func (c configuration) count(key string) int {
	n, _ := strconv.Atoi(c.text(key))
	return n
}

func (c configuration) seconds(key string) time.Duration {
	return time.Duration(c.count(key)) * time.Second
}

// change answers a ChangeConfiguration (OCPP 1.6 §5.3).
func (c configuration) change(key, value string) v16.ConfigurationStatus {
	s := c.find(key)
	if s == nil {
		return v16.ConfigurationStatusNotSupported
	}
	switch s.kind {
	case fixedKey:
		return v16.ConfigurationStatusRejected
	case countKey:
		if n, err := strconv.ParseInt(value, 10, 32); err != nil || n < 0 {
			return v16.ConfigurationStatusRejected
		}
	case switchKey:
		value = strings.ToLower(value)
		if value != "true" && value != "false" {
			return v16.ConfigurationStatusRejected
		}
	case secretKey:
		if len(value) < 16 || len(value) > 40 {
			return v16.ConfigurationStatusRejected
		}
	}
	s.value = value
	return v16.ConfigurationStatusAccepted
}

// tell answers a GetConfiguration (OCPP 1.6 §5.8).
func (c configuration) tell(keys []string) *v16.GetConfigurationResponse {
	res := new(v16.GetConfigurationResponse)
	if len(keys) == 0 {
		for _, s := range c {
			res.ConfigurationKey = append(res.ConfigurationKey, s.told())
		}
		return res
	}
	for _, key := range keys {
		if s := c.find(key); s != nil {
			res.ConfigurationKey = append(res.ConfigurationKey, s.told())
			continue
		}
		res.UnknownKey = append(res.UnknownKey, key)
	}
	return res
}

func (s setting) told() v16.ConfigurationKey {
	k := v16.ConfigurationKey{Key: s.key, Readonly: s.kind == fixedKey}
	if s.kind != secretKey {
		k.Value = ocpp.Some(s.value)
	}
	return k
}
