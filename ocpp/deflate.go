package ocpp

import (
	"compress/flate"
	"io"
	"sync"
)

const (
	// compressFrom is the length from which a message is worth compressing.
	compressFrom = 1 << 10
	// incompressible is how much longer than [MaxMessage] a message may be
	// while it is compressed, since deflate adds a little to what it cannot
	// shrink.
	incompressible = 1 << 10

	// deflateEnd is what RFC 7692 §7.2.1 strips from each message.
	deflateEnd = "\x00\x00\xff\xff"
	// deflateFinal follows it on reading: an empty last block, without which
	// the end would look like a cut.
	deflateFinal = deflateEnd + "\x01\x00\x00\xff\xff"
)

// An inflater decompresses one message after the other. Messages do not refer
// to earlier ones (no context takeover), so that a socket at rest has no
// window, and a few of these serve all of them.
type inflater struct {
	src  deflated
	out  io.ReadCloser // also a flate.Resetter
	sink [bufferSize]byte
}

var inflaters = sync.Pool{New: func() any { return &inflater{out: flate.NewReader(nil)} }}

// inflate appends to dst, which is empty, what p is compressed from. It stops as
// soon as that is more than [MaxMessage], and takes no memory for what is long
// before it knows how long: fifty bombs at once cost no more than one message.
func inflate(dst *buffer, p []byte) error {
	z := inflaters.Get().(*inflater)
	defer inflaters.Put(z)
	defer func() { z.src.rest = nil }()
	if err := z.begin(p); err != nil {
		return err
	}
	ended, err := z.fill(dst, largeBuffer)
	if err != nil || ended {
		return err
	}
	size, err := z.measure(len(dst.b))
	if err != nil {
		return err
	}
	if err := z.begin(p); err != nil {
		return err
	}
	dst.b = make([]byte, 0, size)
	_, err = z.fill(dst, size)
	return err
}

func (z *inflater) begin(p []byte) error {
	z.src = deflated{rest: p}
	return z.out.(flate.Resetter).Reset(&z.src, nil)
}

// fill appends to dst what comes until that has most bytes. It returns true at
// the end of the message.
func (z *inflater) fill(dst *buffer, most int) (ended bool, err error) {
	for len(dst.b) < most {
		if len(dst.b) == cap(dst.b) {
			dst.b = append(make([]byte, 0, min(2*cap(dst.b), most)), dst.b...)
		}
		n, err := z.out.Read(dst.b[len(dst.b):min(cap(dst.b), most)])
		dst.b = dst.b[:len(dst.b)+n]
		if err == io.EOF {
			return true, nil
		}
		if err != nil {
			return false, errNotDeflate
		}
	}
	return false, nil
}

// measure reads to the end of a message of which have bytes are read, and returns
// how long it is.
func (z *inflater) measure(have int) (size int, err error) {
	for size = have; size <= MaxMessage; {
		n, err := z.out.Read(z.sink[:])
		size += n
		if err == io.EOF && size <= MaxMessage {
			return size, nil
		}
		if err != nil && err != io.EOF {
			return 0, errNotDeflate
		}
	}
	return 0, errTooBig
}

// errNotDeflate closes a socket whose peer says that it compressed what it did not.
var errNotDeflate = &CloseError{CloseInvalidText, "message cannot be decompressed"}

// deflated reads a compressed message and the end that was stripped from it.
type deflated struct {
	rest  []byte
	ended int // how much of the end was read
}

func (d *deflated) Read(p []byte) (int, error) {
	if len(d.rest) > 0 {
		n := copy(p, d.rest)
		d.rest = d.rest[n:]
		return n, nil
	}
	if d.ended == len(deflateFinal) {
		return 0, io.EOF
	}
	n := copy(p, deflateFinal[d.ended:])
	d.ended += n
	return n, nil
}

// ReadByte spares flate a buffer of its own.
func (d *deflated) ReadByte() (byte, error) {
	var b [1]byte
	_, err := d.Read(b[:])
	return b[0], err
}

var deflaters = sync.Pool{New: func() any {
	z, err := flate.NewWriter(nil, flate.BestSpeed)
	if err != nil {
		panic(err) // the level is a constant
	}
	return z
}}

// compress appends p to dst in the form of RFC 7692 §7.2.1. Writing to a buffer
// cannot fail.
func compress(dst *buffer, p []byte) {
	z := deflaters.Get().(*flate.Writer)
	defer deflaters.Put(z)
	z.Reset(dst)
	_, _ = z.Write(p)
	_ = z.Flush()
	dst.b = dst.b[:len(dst.b)-len(deflateEnd)]
}
