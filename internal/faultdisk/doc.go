// Package faultdisk gives tests a disk that fails as disks do: its power is cut,
// and of what was written since the last flush it keeps any part; flushes take
// long, or fail; writes fail.
//
// A [Disk] is memory. [Disk.Attach] makes a block device of it that any program
// can use: the kernel asks a small FUSE server in this process for the one file
// that is the disk, and a loop device lies over it. So the file system on it is a
// real one, with its journal, its page cache and its own idea of what an error
// means, and the program under test is the real one too. That needs Linux, root,
// /dev/fuse, loop devices and mkfs.ext4; [Private] says what is missing.
//
// What a disk promises: a flush that succeeded covers all writes that had
// succeeded before it was asked for. Nothing else survives [Disk.Cut] for sure,
// and what does is drawn by sectors of 512 bytes.
//
// The process that holds a disk must not map a file on it into its memory: a page
// fault would wait for this very process, maybe for ever. It may read and write
// files there.
package faultdisk
