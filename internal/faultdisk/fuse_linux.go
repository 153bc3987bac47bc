package faultdisk

import (
	"encoding/binary"
	"errors"
	"sync"

	"golang.org/x/sys/unix"
)

// What the kernel asks of a FUSE server, from linux/fuse.h.
const (
	opForget      = 2
	opGetattr     = 3
	opSetattr     = 4
	opOpen        = 14
	opRead        = 15
	opWrite       = 16
	opRelease     = 18
	opFsync       = 20
	opFlush       = 25
	opInit        = 26
	opInterrupt   = 36
	opDestroy     = 38
	opBatchForget = 42
)

const (
	fuseMajor, fuseMinor = 7, 31

	maxWrite     = 1 << 20
	flagBigWrite = 1 << 5
	flagMaxPages = 1 << 22
	openDirect   = 1 << 0 // no page cache of its own for the file

	inHeader, outHeader = 40, 16
	ioHeader            = 40 // before the data of a write, and all of a read
)

// requests holds buffers for what the kernel asks.
type requests struct{ sync.Pool }

// serve answers the kernel until the file system is unmounted.
func (d *Disk) serve(fd int) {
	var answering sync.WaitGroup
	defer answering.Wait()
	buffers := requests{sync.Pool{New: func() any { return new([maxWrite + pageSize]byte) }}}
	for {
		buf := buffers.Get().(*[maxWrite + pageSize]byte)
		n, err := unix.Read(fd, buf[:])
		switch {
		case errors.Is(err, unix.EINTR) || errors.Is(err, unix.EAGAIN) || errors.Is(err, unix.ENOENT):
			buffers.Put(buf)
			continue
		case err != nil || n < inHeader:
			return // unmounted
		}
		answering.Go(func() {
			defer buffers.Put(buf)
			d.answer(fd, buf[:n])
		})
	}
}

// answer answers one request.
func (d *Disk) answer(fd int, request []byte) {
	le := binary.LittleEndian
	out := make([]byte, outHeader, outHeader+128)
	op, body := le.Uint32(request[4:]), request[inHeader:]
	var err error
	switch op {
	case opForget, opBatchForget, opInterrupt:
		return
	case opInit:
		out = initReply(out)
	case opGetattr, opSetattr:
		out = d.attributes(out)
	case opOpen:
		out = le.AppendUint32(le.AppendUint64(out, 0), openDirect)
		out = le.AppendUint32(out, 0)
	case opRead:
		at := len(out)
		out = append(out, make([]byte, d.within(body))...)
		err = d.read(out[at:], int64(le.Uint64(body[8:])))
	case opWrite:
		data := body[ioHeader:]
		err = d.write(data, int64(le.Uint64(body[8:])))
		out = le.AppendUint64(out, uint64(len(data)))
	case opFsync:
		err = d.sync()
	case opRelease, opFlush, opDestroy:
	default:
		err = unix.ENOSYS
	}
	if err != nil {
		out = out[:outHeader]
		code := unix.EIO
		errors.As(err, &code)
		le.PutUint32(out[4:], uint32(-int32(code)))
	}
	le.PutUint32(out, uint32(len(out)))
	copy(out[8:16], request[8:16])
	_, _ = unix.Write(fd, out) // whoever asked may be gone
}

// within returns how much of what a read asks for is there.
func (d *Disk) within(body []byte) int64 {
	offset, size := int64(binary.LittleEndian.Uint64(body[8:])), int64(binary.LittleEndian.Uint32(body[16:]))
	return max(0, min(size, d.size-offset))
}

func initReply(out []byte) []byte {
	le := binary.LittleEndian
	for _, v := range []uint32{
		fuseMajor, fuseMinor, 0, flagBigWrite | flagMaxPages,
		64 | 48<<16, maxWrite, 1, maxWrite / pageSize,
	} {
		out = le.AppendUint32(out, v)
	}
	return append(out, make([]byte, 8*4)...)
}

// attributes says that there is one file, the disk.
func (d *Disk) attributes(out []byte) []byte {
	le := binary.LittleEndian
	out = append(out, make([]byte, 16)...) // good for no time
	for _, v := range []uint64{1, uint64(d.size), uint64(d.size / Sector), 0, 0, 0} {
		out = le.AppendUint64(out, v)
	}
	for _, v := range []uint32{0, 0, 0, unix.S_IFREG | 0o600, 1, 0, 0, 0, pageSize, 0} {
		out = le.AppendUint32(out, v)
	}
	return out
}
