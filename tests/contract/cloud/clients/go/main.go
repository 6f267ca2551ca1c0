// Command contract drives a region with the unmodified Go SDK (typed clients of vpc and cvm) and prints what it saw
// as one JSON object. The program judges nothing: test_go_sdk.py says what a region has to answer.
//
// Usage: contract SCENARIO < access.json; SCENARIO is one of eips, enis, refusals.
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"time"
)

// Access is where the region is and who calls; the fields are those of account.Endpoint in the Python tests.
type Access struct {
	Protocol   string  `json:"protocol"`
	Host       string  `json:"host"`
	Region     string  `json:"region"`
	SecretID   string  `json:"secret_id"`
	SecretKey  string  `json:"secret_key"`
	InstanceID string  `json:"instance_id"`
	VpcID      string  `json:"vpc_id"`
	SubnetID   string  `json:"subnet_id"`
	Seconds    float64 `json:"seconds"`
	Pause      float64 `json:"pause"`
}

// Seen is what a scenario found out, by name.
type Seen map[string]any

var scenarios = map[string]func(*Region) Seen{
	"eips":     eips,
	"enis":     enis,
	"refusals": refusals,
}

func main() {
	if len(os.Args) != 2 || scenarios[os.Args[1]] == nil {
		fail("usage: contract eips|enis|refusals < access.json")
	}
	var access Access
	if err := json.NewDecoder(os.Stdin).Decode(&access); err != nil {
		fail("access.json: %v", err)
	}
	region := open(access)
	seen := func() Seen {
		defer region.cleanUp()
		return scenarios[os.Args[1]](region)
	}()
	if err := json.NewEncoder(os.Stdout).Encode(seen); err != nil {
		fail("%v", err)
	}
}

// until looks again and again until there is something, and gives it; the program ends when time is over.
func until[T any](r *Region, what string, look func() (T, bool)) T {
	deadline := time.Now().Add(time.Duration(r.access.Seconds * float64(time.Second)))
	for {
		if found, ok := look(); ok {
			return found
		}
		if time.Now().After(deadline) {
			panic(fmt.Sprintf("%s did not come about in %.0f s", what, r.access.Seconds))
		}
		time.Sleep(time.Duration(r.access.Pause * float64(time.Second)))
	}
}

func fail(format string, arguments ...any) {
	fmt.Fprintf(os.Stderr, "contract: "+format+"\n", arguments...)
	os.Exit(1)
}
