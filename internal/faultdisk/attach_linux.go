package faultdisk

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"

	"golang.org/x/sys/unix"
)

// Private gives the calling goroutine file systems that only it and the programs
// that it starts see: whatever it mounts is gone with them, however they end. The
// goroutine must not be used for anything else afterwards, and its thread ends
// with it. An error says what this machine lacks for disks to be attached.
func Private() error {
	if os.Getuid() != 0 {
		return errors.New("only root may mount")
	}
	for _, file := range []string{"/dev/fuse", "/dev/loop-control"} {
		if _, err := os.Stat(file); err != nil {
			return err
		}
	}
	if _, err := exec.LookPath("mkfs.ext4"); err != nil {
		return err
	}
	runtime.LockOSThread()
	if err := unix.Unshare(unix.CLONE_NEWNS); err != nil {
		return fmt.Errorf("no mount namespace: %w", err)
	}
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("make mounts private: %w", err)
	}
	return nil
}

// A Device is a disk that is attached, as the kernel shows it.
type Device struct {
	Path string // of the block device

	disk   *Disk
	file   string // that the FUSE file system is mounted on
	fuse   int
	loop   int
	served chan struct{}
}

// Attach makes a block device of the disk, with its file in folder. The calling
// goroutine must be [Private], and detach it.
func (d *Disk) Attach(folder string) (dev *Device, err error) {
	dev = &Device{disk: d, file: filepath.Join(folder, "disk"), fuse: -1, loop: -1, served: make(chan struct{})}
	if err := os.WriteFile(dev.file, nil, 0o600); err != nil {
		return nil, err
	}
	if dev.fuse, err = unix.Open("/dev/fuse", unix.O_RDWR|unix.O_CLOEXEC, 0); err != nil {
		return nil, fmt.Errorf("/dev/fuse: %w", err)
	}
	options := fmt.Sprintf("fd=%d,rootmode=%o,user_id=0,group_id=0", dev.fuse, unix.S_IFREG)
	if err := unix.Mount("faultdisk", dev.file, "fuse", unix.MS_NOSUID|unix.MS_NODEV, options); err != nil {
		return nil, errors.Join(fmt.Errorf("mount a FUSE file: %w", err), unix.Close(dev.fuse))
	}
	go func() {
		defer close(dev.served)
		d.serve(dev.fuse)
	}()
	if err := dev.lay(); err != nil {
		return nil, errors.Join(err, dev.Detach())
	}
	return dev, nil
}

// lay lays a loop device over the file.
func (dev *Device) lay() (err error) {
	// Not os.Open: the runtime would poll the file, and wait for us.
	file, err := unix.Open(dev.file, unix.O_RDWR|unix.O_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("open the disk: %w", err)
	}
	defer func() { err = errors.Join(err, unix.Close(file)) }()
	control, err := unix.Open("/dev/loop-control", unix.O_RDWR|unix.O_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("loop devices: %w", err)
	}
	defer func() { err = errors.Join(err, unix.Close(control)) }()
	for {
		n, err := unix.IoctlRetInt(control, unix.LOOP_CTL_GET_FREE)
		if err != nil {
			return fmt.Errorf("no free loop device: %w", err)
		}
		dev.Path = fmt.Sprintf("/dev/loop%d", n)
		if dev.loop, err = unix.Open(dev.Path, unix.O_RDWR|unix.O_CLOEXEC, 0); err != nil {
			return fmt.Errorf("%s: %w", dev.Path, err)
		}
		c := unix.LoopConfig{Fd: uint32(file)}
		c.Info.Flags = unix.LO_FLAGS_AUTOCLEAR
		err = unix.IoctlLoopConfigure(dev.loop, &c)
		if err == nil {
			return nil
		}
		closeErr := unix.Close(dev.loop)
		dev.loop = -1
		if !errors.Is(err, unix.EBUSY) { // somebody else was faster
			return errors.Join(fmt.Errorf("%s: %w", dev.Path, err), closeErr)
		}
	}
}

// Format makes an ext4 on the device, with more options of mkfs.ext4 if need be.
func (dev *Device) Format(options ...string) error {
	args := append([]string{"-q", "-F", "-b", "4096", "-N", "2048", "-m", "0", "-E", "nodiscard,lazy_itable_init=0"}, options...)
	if out, err := exec.Command("mkfs.ext4", append(args, dev.Path)...).CombinedOutput(); err != nil {
		return fmt.Errorf("mkfs.ext4: %w: %s", err, out)
	}
	return nil
}

// Mount mounts the ext4 of the device on a folder, after its journal was replayed.
func (dev *Device) Mount(folder string) error {
	if err := unix.Mount(dev.Path, folder, "ext4", unix.MS_NOATIME, ""); err != nil {
		return fmt.Errorf("mount %s: %w", dev.Path, err)
	}
	return nil
}

// Unmount unmounts what is mounted on a folder.
func Unmount(folder string) error {
	if err := unix.Unmount(folder, 0); err != nil {
		return fmt.Errorf("unmount %s: %w", folder, err)
	}
	return nil
}

// Detach takes the device away again. Nothing of it may be mounted any more.
func (dev *Device) Detach() error {
	var errs []error
	if dev.loop >= 0 {
		errs = append(errs, unix.Close(dev.loop)) // the last to close it frees it
	}
	errs = append(errs, unix.Unmount(dev.file, unix.MNT_DETACH), unix.Close(dev.fuse))
	<-dev.served
	return errors.Join(errs...)
}
