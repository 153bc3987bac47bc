package sim

import "fmt"

// An idStyle is how a firmware numbers its messages.
type idStyle int

const (
	idsFresh   idStyle = iota // never the same again
	idsRestart                // count from 1 on every connection
	idsResent                 // a message keeps its id when it is sent again
	idStyles
)

// traits are how one make of station differs from another. All of them are
// allowed, and seen in the field.
type traits struct {
	vendor, model, serial string
	power                 int // W that a connector delivers at most
	dc                    bool
	kilo                  bool // reports kWh and kW
	ids                   idStyle
	boots                 bool // sends a BootNotification with every connection
	begins                bool // reads the meter at the begin of a transaction
	attaches              bool // sends transactionData
	terse                 bool // leaves out what may be left out
	resumes               bool // goes on with a charge after it restarted by itself
	decodes               bool // takes 40 hex digits for a password of 20 bytes
}

func (o *Options) traits(station string) traits {
	r := stream(o.Seed, station, purposeTraits)
	t := traits{
		power:    []int{11_000, 22_000, 50_000, 150_000, 300_000}[r.IntN(5)],
		kilo:     r.IntN(2) == 0,
		ids:      idStyle(r.IntN(int(idStyles))),
		boots:    r.IntN(3) == 0,
		begins:   r.IntN(2) == 0,
		attaches: r.IntN(3) == 0,
		terse:    r.IntN(3) == 0,
		decodes:  r.IntN(2) == 0,
		serial:   fmt.Sprintf("V%08X", r.Uint32()),
	}
	if o.Fast && t.power < 150_000 {
		t.power = 150_000
	}
	t.dc = t.power >= 50_000
	t.vendor = []string{"Northwind", "Voltaire", "Kleist"}[r.IntN(3)]
	t.model = fmt.Sprintf("AC %d", t.power/1000)
	if t.dc {
		t.model = fmt.Sprintf("DC %d", t.power/1000)
	}
	t.resumes = r.IntN(2) == 0
	return t
}
