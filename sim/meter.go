package sim

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"leyden/ocpp"
	"leyden/ocpp/v16"
)

const (
	volts    = 230
	dcVolts  = 400
	maxKept  = 200 // readings in transactionData
	nominals = 3   // phases
)

// wh returns what the meter of the charge's connector shows at a moment, in Wh.
func (ch *charge) wh(at time.Time) int {
	return ch.MeterStart - ch.dropped + whole(ch.before+ch.battery.delivered(max(0, at.Sub(ch.since))))
}

// resetMeter has the register begin anew at 0. Who reads it just before and then
// knows all that it counted.
func (s *station) resetMeter(c *connector, at time.Time) {
	ch, before := c.charge, at.Add(-time.Millisecond)
	ch.resetAt = time.Time{}
	s.putReading(c, before, v16.ReadingContextInterruptionBegin)
	ch.counted += ch.wh(before) - ch.segment
	ch.dropped += ch.wh(at)
	ch.segment = 0
	s.putReading(c, at, v16.ReadingContextInterruptionEnd)
}

// putStart queues the StartTransaction.
func (s *station) putStart(c *connector, ch *charge, reservation ocpp.Opt[int]) {
	req := &v16.StartTransaction{
		ConnectorID: c.id, IDTag: ch.IDTag, MeterStart: ch.MeterStart, ReservationID: reservation, Timestamp: ch.StartedAt,
	}
	s.put(&message{
		action: req.Action(), charge: ch,
		answer: Answer{Action: req.Action(), At: ch.StartedAt, Wh: ch.MeterStart},
		build:  func() ocpp.Request { return req },
		answered: func(res ocpp.Response, now time.Time) {
			s.numbered(c, ch, res.(*v16.StartTransactionResponse), now)
		},
	})
}

// numbered is when the transaction has its number. A driver who turns out not
// to be authorised is stopped, if the station is told to (OCPP 1.6 §4.8).
func (s *station) numbered(c *connector, ch *charge, res *v16.StartTransactionResponse, now time.Time) {
	ch.id, ch.IDTagStatus = res.TransactionID, string(res.IDTagInfo.Status)
	if res.IDTagInfo.Status == v16.AuthorizationStatusAccepted {
		return
	}
	s.book.refused.Add(1)
	if c.charge == ch && s.config.on(keyStopOnInvalid) {
		s.finish(c, now, v16.ReasonDeAuthorized)
	}
}

// putReading queues a MeterValues of the running charge.
func (s *station) putReading(c *connector, at time.Time, context v16.ReadingContext) {
	ch := c.charge
	value := s.sample(ch, at, context, keySampled)
	if len(value.SampledValue) == 0 {
		return
	}
	s.putValue(ch, value, at)
	if s.config.text(keyStopSampled) != "" && len(ch.kept) < maxKept {
		ch.kept = append(ch.kept, s.sample(ch, at, context, keyStopSampled))
	}
}

func (s *station) putValue(ch *charge, value v16.MeterValue, at time.Time) {
	s.put(&message{
		action: "MeterValues", charge: ch,
		answer: Answer{Action: "MeterValues", At: at, Wh: ch.wh(at)},
		build: func() ocpp.Request {
			return &v16.MeterValues{
				ConnectorID: ch.Connector, TransactionID: ocpp.Some(s.number(ch)), MeterValue: []v16.MeterValue{value},
			}
		},
		answered: func(ocpp.Response, time.Time) {},
	})
}

// putStop queues the StopTransaction.
func (s *station) putStop(c *connector, ch *charge) {
	req := &v16.StopTransaction{MeterStop: ch.MeterStop, Timestamp: ch.StoppedAt, Reason: ocpp.Some(v16.Reason(ch.Reason))}
	if ch.Reason == string(v16.ReasonLocal) {
		req.IDTag = ocpp.Opt[string]{Value: ch.IDTag, Set: !s.terse}
		req.Reason.Set = !s.terse
	}
	if end := s.sample(ch, ch.StoppedAt, v16.ReadingContextTransactionEnd, keyStopSampled); len(end.SampledValue) > 0 {
		req.TransactionData = append(ch.kept, end)
	}
	req.TransactionData = append(req.TransactionData, s.signedData(ch)...)
	ch.kept = nil
	s.put(&message{
		action: req.Action(), charge: ch,
		answer: Answer{Action: req.Action(), At: ch.StoppedAt, Wh: ch.MeterStop},
		build: func() ocpp.Request {
			req.TransactionID = s.number(ch)
			return req
		},
		answered: func(ocpp.Response, time.Time) {
			ch.StopAnswered = true
			s.book.completed.Add(1)
			s.announce(ch)
		},
	})
}

// sample reads the meter: the measurands that a configuration key lists.
func (s *station) sample(ch *charge, at time.Time, context v16.ReadingContext, key string) v16.MeterValue {
	v := v16.MeterValue{Timestamp: at}
	soc, power := ch.battery.after(max(0, at.Sub(ch.since)))
	for name := range strings.SplitSeq(s.config.text(key), ",") {
		for _, x := range s.measure(ch, v16.Measurand(strings.TrimSpace(name)), ch.wh(at), soc, power) {
			if context != v16.ReadingContextSamplePeriodic || !s.terse {
				x.Context = ocpp.Some(context)
			}
			v.SampledValue = append(v.SampledValue, x)
		}
	}
	return v
}

// measure returns the samples of one measurand; none of one that the station
// has no meter for.
func (s *station) measure(ch *charge, m v16.Measurand, wh int, soc, power float64) []v16.SampledValue {
	value := func(unit v16.Unit, format string, args ...any) v16.SampledValue {
		return v16.SampledValue{Value: fmt.Sprintf(format, args...), Measurand: ocpp.Some(m), Unit: ocpp.Some(unit)}
	}
	switch m {
	case v16.MeasurandEnergyActiveImportRegister:
		return []v16.SampledValue{s.energy(wh)}
	case v16.MeasurandPowerActiveImport:
		if s.kilo {
			return []v16.SampledValue{value(v16.UnitKW, "%.3f", power/1000)}
		}
		return []v16.SampledValue{value(v16.UnitW, "%.0f", power)}
	case v16.MeasurandSoC:
		percent := float64(int(soc * 100))
		if ch.InitialSoC == nil {
			ch.InitialSoC = &percent
		}
		ch.EndSoC = &percent
		return []v16.SampledValue{value(v16.UnitPercent, "%.0f", percent)}
	case v16.MeasurandVoltage:
		if s.dc {
			return []v16.SampledValue{value(v16.UnitV, "%d", dcVolts)}
		}
		return []v16.SampledValue{value(v16.UnitV, "%d", volts)}
	case v16.MeasurandCurrentImport:
		return s.currents(power)
	}
	return nil
}

// energy returns a sample of the register. In Wh it may say nothing but the
// number: all else is what is meant by default (OCPP 1.6 §7.43).
func (s *station) energy(wh int) v16.SampledValue {
	v := v16.SampledValue{Value: strconv.Itoa(wh)}
	if s.kilo {
		v.Value = fmt.Sprintf("%d.%03d", wh/1000, wh%1000)
		v.Unit = ocpp.Some(v16.UnitKWh)
	}
	if !s.terse {
		v.Measurand = ocpp.Some(v16.MeasurandEnergyActiveImportRegister)
		v.Unit = ocpp.Some(v.Unit.Or(v16.UnitWh))
	}
	return v
}

func (s *station) currents(power float64) []v16.SampledValue {
	amps := func(a float64) v16.SampledValue {
		return v16.SampledValue{
			Value: fmt.Sprintf("%.1f", a), Measurand: ocpp.Some(v16.MeasurandCurrentImport), Unit: ocpp.Some(v16.UnitA),
		}
	}
	if s.dc {
		return []v16.SampledValue{amps(power / dcVolts)}
	}
	var list []v16.SampledValue
	for _, p := range []v16.Phase{v16.PhaseL1, v16.PhaseL2, v16.PhaseL3} {
		v := amps(power / nominals / volts)
		v.Phase = ocpp.Some(p)
		list = append(list, v)
	}
	return list
}
