// A wire with a delay: joins two network namespaces by two TUN devices and hands each packet on after
// a fixed time. It stands in for netem where the kernel has none.
//
//	relay -left NETNS:ADDRESS/PREFIX -right NETNS:ADDRESS/PREFIX -delay 40ms
//
// It creates the devices, prints "ready", and goes on until its standard input ends.
package main

import (
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"
	"unsafe"
)

const (
	tunSetIff = 0x400454ca
	iffTun    = 0x0001
	iffNoPi   = 0x1000
	mtu       = 1500
	queued    = 1 << 16
)

type packet struct {
	due  time.Time
	data []byte
}

func fatal(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "relay:", err)
		os.Exit(2)
	}
}

func ip(arguments ...string) {
	output, err := exec.Command("ip", arguments...).CombinedOutput()
	if err != nil {
		fatal(fmt.Errorf("ip %s: %s", strings.Join(arguments, " "), output))
	}
}

// open makes a TUN device and moves it into the namespace; the descriptor stays with us.
func open(device, place string) *os.File {
	netns, address, found := strings.Cut(place, ":")
	if !found {
		fatal(fmt.Errorf("not NETNS:ADDRESS/PREFIX: %s", place))
	}
	descriptor, err := syscall.Open("/dev/net/tun", syscall.O_RDWR, 0)
	fatal(err)
	var request [40]byte
	copy(request[:16], device)
	*(*uint16)(unsafe.Pointer(&request[16])) = iffTun | iffNoPi
	_, _, errno := syscall.Syscall(syscall.SYS_IOCTL, uintptr(descriptor), tunSetIff, uintptr(unsafe.Pointer(&request[0])))
	if errno != 0 {
		fatal(errno)
	}
	ip("link", "set", device, "netns", netns)
	ip("-n", netns, "addr", "add", address, "dev", device)
	ip("-n", netns, "link", "set", device, "mtu", fmt.Sprint(mtu), "txqueuelen", "10000", "up")
	return os.NewFile(uintptr(descriptor), device)
}

func pass(from, to *os.File, delay time.Duration) {
	waiting := make(chan packet, queued)
	go func() {
		for p := range waiting {
			if wait := time.Until(p.due); wait > 0 {
				time.Sleep(wait)
			}
			_, _ = to.Write(p.data)
		}
	}()
	buffer := make([]byte, 1<<16)
	for {
		n, err := from.Read(buffer)
		if err != nil {
			return
		}
		waiting <- packet{time.Now().Add(delay), append([]byte(nil), buffer[:n]...)}
	}
}

func main() {
	left := flag.String("left", "", "NETNS:ADDRESS/PREFIX")
	right := flag.String("right", "", "NETNS:ADDRESS/PREFIX")
	delay := flag.Duration("delay", 40*time.Millisecond, "each way")
	flag.Parse()
	a, b := open("kzrelay0", *left), open("kzrelay1", *right)
	go pass(a, b, *delay)
	go pass(b, a, *delay)
	fmt.Println("ready")
	_, _ = io.Copy(io.Discard, os.Stdin)
}
