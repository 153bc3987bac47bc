//go:build !unix

package ocpp

import "errors"

const rawSupported = false

func (s *socket) readRaw() (int, error) { return 0, errors.ErrUnsupported }

func (r *rawSocket) write([]byte) (int, error) { return 0, nil }
