package sim

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
	"time"

	"leyden/ocpp"
)

// Energy of a session under load, in Wh: little enough to be plausible however
// short the session is.
const (
	loadRise    = 40
	loadSamples = 5
)

// errNotAccepted says that a station or a driver was refused: what follows
// would be no session.
var errNotAccepted = errors.New("the answer is not Accepted")

// A worker is a station under load. It writes its frames by itself and reads
// of the answers what it must.
type worker struct {
	m     *meeting
	tr    ocpp.Transport
	index int // among the stations
	tag   string
	wh    int

	number uint64 // of the open call
	out    []byte
	expect []byte // how the answer to the open call begins
	id     []byte // the transaction's number

	due     time.Time // when the next message is, if that was said
	timer   *time.Timer
	receive func(msg []byte) error
	done    bool
	wrong   error

	last   time.Time // the last timestamp
	second int64     // that stamp is of
	stamp  []byte    // to the second
}

func newWorker(m *meeting, tr ocpp.Transport, tag string, i int) *worker {
	w := &worker{m: m, tr: tr, index: i, tag: string(ocpp.AppendText(nil, tag)), wh: 1000 * i}
	w.receive = w.read
	return w
}

func (w *worker) boot() error {
	w.begin("BootNotification")
	w.out = append(w.out, `{"chargePointVendor":"Leyden","chargePointModel":"Load"}]`...)
	return w.call()
}

// work does sessions until there are no more.
func (w *worker) work() {
	for w.m.another() {
		err := w.session()
		if err != nil && w.m.over.Load() {
			return
		}
		if err != nil {
			w.m.fault(err)
		}
		if errors.Is(err, ocpp.ErrClosed) {
			return
		}
		if err == nil && w.m.counting.Load() && !w.m.over.Load() {
			w.m.sessions.Add(1)
		}
	}
}

// session does one session.
func (w *worker) session() error {
	w.begin("Authorize")
	w.out = append(append(append(w.out, `{"idTag":`...), w.tag...), `}]`...)
	if err := w.timed(authorizeCall); err != nil {
		return fmt.Errorf("Authorize: %w", err)
	}
	if err := w.start(); err != nil {
		return fmt.Errorf("StartTransaction: %w", err)
	}
	for i := range loadSamples {
		if err := w.sample(i); err != nil {
			return fmt.Errorf("MeterValues: %w", err)
		}
	}
	if err := w.stop(); err != nil {
		return fmt.Errorf("StopTransaction: %w", err)
	}
	return nil
}

func (w *worker) start() error {
	w.id = w.id[:0]
	w.begin("StartTransaction")
	w.out = append(append(w.out, `{"connectorId":1,"idTag":`...), w.tag...)
	w.out = strconv.AppendInt(append(w.out, `,"meterStart":`...), int64(w.wh), 10)
	w.out = append(w.time(append(w.out, `,"timestamp":`...)), `}]`...)
	if err := w.timed(startCall); err != nil {
		return err
	}
	if len(w.id) == 0 {
		return errors.New("the answer has no transactionId")
	}
	return nil
}

func (w *worker) sample(i int) error {
	w.wh += loadRise
	w.begin("MeterValues")
	w.out = append(append(w.out, `{"connectorId":1,"transactionId":`...), w.id...)
	w.out = w.time(append(w.out, `,"meterValue":[{"timestamp":`...))
	w.out = strconv.AppendInt(append(w.out, `,"sampledValue":[{"value":"`...), int64(w.wh), 10)
	w.out = append(w.out, `","measurand":"Energy.Active.Import.Register","unit":"Wh"},`...)
	w.out = strconv.AppendInt(append(w.out, `{"value":"`...), int64(22_000-100*i), 10)
	w.out = append(w.out, `","measurand":"Power.Active.Import","unit":"W"},`...)
	w.out = strconv.AppendInt(append(w.out, `{"value":"`...), int64(40+i), 10)
	w.out = append(w.out, `","measurand":"SoC","unit":"Percent"}]}]}]`...)
	return w.timed(meterCall)
}

func (w *worker) stop() error {
	w.wh += loadRise
	w.begin("StopTransaction")
	w.out = append(append(w.out, `{"idTag":`...), w.tag...)
	w.out = strconv.AppendInt(append(w.out, `,"meterStop":`...), int64(w.wh), 10)
	w.out = w.time(append(w.out, `,"timestamp":`...))
	w.out = append(append(w.out, `,"transactionId":`...), w.id...)
	w.out = append(w.out, `,"reason":"Local"}]`...)
	return w.timed(stopCall)
}

// begin begins the frame of a call.
func (w *worker) begin(action string) {
	w.number++
	w.expect = strconv.AppendUint(append(w.expect[:0], `[3,"`...), w.number, 10)
	w.expect = append(w.expect, `",`...)
	w.out = strconv.AppendUint(append(w.out[:0], `[2,"`...), w.number, 10)
	w.out = append(append(append(w.out, `","`...), action...), `",`...)
}

// time appends the time as a JSON string: to the microsecond, and later than
// any before.
func (w *worker) time(dst []byte) []byte {
	t := time.Now().Truncate(time.Microsecond)
	if !t.After(w.last) {
		t = w.last.Add(time.Microsecond)
	}
	w.last = t
	if s := t.Unix(); s != w.second || len(w.stamp) == 0 {
		w.second = s
		w.stamp = t.UTC().AppendFormat(w.stamp[:0], `"2006-01-02T15:04:05.`)
	}
	dst = append(dst, w.stamp...)
	micros := t.Nanosecond() / 1000
	for place := 100_000; place > 0; place /= 10 {
		dst = append(dst, byte('0'+micros/place%10))
	}
	return append(dst, 'Z', '"')
}

// errOver breaks off the session of a load that has ended.
var errOver = errors.New("the load is over")

// pace waits until the next message is due. It returns from when its answer is
// timed.
func (w *worker) pace() (began time.Time, err error) {
	now := time.Now()
	if w.m.Every == 0 {
		return now, nil
	}
	due := w.due
	if now.Before(due) {
		if err := w.wait(due.Sub(now)); err != nil {
			return now, err
		}
		now = time.Now()
		if w.m.counting.Load() {
			w.m.late.add(now.Sub(due))
		}
	}
	w.due = due.Add(w.m.Every)
	if w.m.Rate > 0 {
		return due, nil
	}
	if w.due.Before(now) {
		w.due = now // what was late is not made up for
	}
	return now, nil
}

func (w *worker) wait(d time.Duration) error {
	if w.timer == nil {
		w.timer = time.NewTimer(0) // since Go 1.23 nothing is left in it when it is reset
	}
	w.timer.Reset(d)
	select {
	case <-w.timer.C:
		return nil
	case <-w.m.ended:
		return errOver
	}
}

func (w *worker) timed(k kind) error {
	began, err := w.pace()
	if err != nil {
		return err
	}
	if err := w.call(); err != nil {
		return err
	}
	w.m.count(time.Since(began), k)
	return nil
}

// call sends the frame and reads until it is answered.
func (w *worker) call() error {
	if err := w.tr.Send(w.out); err != nil {
		return err
	}
	w.done, w.wrong = false, nil
	for !w.done {
		if err := w.tr.Receive(w.receive); err != nil {
			return err
		}
	}
	return w.wrong
}

// read reads one message.
func (w *worker) read(msg []byte) error {
	if bytes.HasPrefix(msg, w.expect) {
		w.done = true
		w.result(msg)
		return nil
	}
	f, err := ocpp.ParseFrame(msg)
	if err != nil {
		return fmt.Errorf("read answer: %w", err)
	}
	if f.Type == ocpp.Call {
		return w.answerCall(msg)
	}
	if f.ID != strconv.FormatUint(w.number, 10) {
		return nil // nobody waits for it any more
	}
	w.done = true
	if f.Err != nil {
		w.wrong = f.Err
		return nil
	}
	w.result(msg)
	return nil
}

// result takes from an answer what the session needs.
func (w *worker) result(msg []byte) {
	if bytes.Contains(msg, []byte(`"status"`)) && !bytes.Contains(msg, []byte(`"Accepted"`)) {
		w.wrong = errNotAccepted
	}
	_, rest, ok := bytes.Cut(msg, []byte(`"transactionId":`))
	if !ok {
		return
	}
	rest = bytes.TrimLeft(rest, " ")
	n := 0
	for n < len(rest) && rest[n]-'0' <= 9 {
		n++
	}
	w.id = append(w.id[:0], rest[:n]...)
}

// answerCall answers what the central system asks: nothing is supported here.
func (w *worker) answerCall(msg []byte) error {
	f, err := ocpp.ParseFrame(msg)
	if err != nil || f.Type != ocpp.Call {
		return nil // not for us to judge
	}
	return w.tr.Send(ocpp.AppendCallError(nil, f.ID, ocpp.Errorf(ocpp.NotSupported, "not under load")))
}
