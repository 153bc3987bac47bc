//go:build !unix

package ocpp

import "errors"

const rawSupported = false

func (s *socket) readRaw() (int, error) { return 0, errors.ErrUnsupported }

func (s *socket) stream(func(msg []byte) error) error { return errors.ErrUnsupported }

func (r *rawSocket) shutdown() error { return errors.ErrUnsupported }

func (r *rawSocket) write([]byte) (int, error) { return 0, nil }
