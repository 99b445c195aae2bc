package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/wasmstate/wasmstate/runtime"
)

func statusCmd() *cobra.Command {
	var addr string
	var port int
	var asJSON bool
	cmd := &cobra.Command{
		Use:     "status",
		Short:   "Show the components of a running server",
		Long:    "Ask the admin API of a server on this machine for its components: state, version,\ngeneration, last error. SINCE is when the component came into its state, IN FLIGHT\nhow many calls it serves at the moment. Exits with 1 if one of them is not ready.\n\nEnvironment: DAPR_API_TOKEN, if the server asks for one.",
		Example: "  wasmstate status --admin-address 127.0.0.1:3502",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if cmd.Flags().Changed("admin-port") {
				addr = net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
			}
			body, err := askAdmin(cmd, addr, http.MethodGet, "/v1.0/admin/components")
			if err != nil {
				return err
			}
			var st struct {
				Components []runtime.Status `json:"components"`
				Problems   []string         `json:"problems"`
			}
			if err := json.Unmarshal(body, &st); err != nil {
				return fmt.Errorf("%s answers something else than components; is it the admin port? %w", addr, err)
			}
			if asJSON {
				_, err := cmd.OutOrStdout().Write(body)
				if err != nil {
					return err
				}
			} else {
				printStatus(cmd.OutOrStdout(), st.Components, st.Problems)
			}
			for _, c := range st.Components {
				if c.State != "ready" {
					return errSilent
				}
			}
			return nil
		},
	}
	cmd.Flags().StringVar(&addr, "admin-address", "127.0.0.1:3502", "host:port of the admin API")
	cmd.Flags().IntVar(&port, "admin-port", 3502, "port of the admin API on 127.0.0.1, as given to wasmstate run")
	cmd.MarkFlagsMutuallyExclusive("admin-address", "admin-port")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print the answer as JSON")
	return cmd
}

// askAdmin sends a request to the admin API and returns the body of its answer.
func askAdmin(cmd *cobra.Command, addr, method, path string) ([]byte, error) {
	req, err := http.NewRequestWithContext(cmd.Context(), method, "http://"+addr+path, nil)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Dapr-Api-Token", os.Getenv("DAPR_API_TOKEN"))
	client := &http.Client{Timeout: time.Minute, Transport: &http.Transport{Proxy: nil}}
	resp, err := client.Do(req)
	if err != nil {
		return nil, fmt.Errorf("no answer from %s: %w; is the server running, and with which --admin-port?", addr, err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, 16<<20))
	if err != nil {
		return nil, err
	}
	if resp.StatusCode >= 300 {
		return nil, fmt.Errorf("%s answers %s: %s", addr, resp.Status, strings.TrimSpace(string(body)))
	}
	return body, nil
}

func printStatus(w io.Writer, components []runtime.Status, problems []string) {
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(tw, "NAME\tSTATE\tTYPE\tVERSION\tDIGEST\tGEN\tSINCE\tIN FLIGHT\tINSTANCES\tREASON")
	for _, c := range components {
		state := string(c.State)
		if c.RolledBack {
			state += " (rolled back)"
		}
		fmt.Fprintf(tw, "%s\t%s\t%s\t%s\t%s\t%d\t%s\t%d\t%s\t%s\n", c.Name, state, c.Type, c.Version, short(c.Digest), c.Generation,
			c.Since.Local().Format(time.DateTime), c.InFlight, instancesOf(c), strings.ReplaceAll(c.Reason, "\n", "; "))
	}
	_ = tw.Flush()
	for _, p := range problems {
		fmt.Fprintln(w, "problem:", p)
	}
}

// short is enough of a digest to tell versions apart: of the document, and of
// the module behind it.
func short(digest string) string {
	doc, module, _ := strings.Cut(digest, " ")
	text := doc[:min(len(doc), 8)]
	if module = strings.TrimPrefix(module, "sha256:"); module != "" {
		text += "/" + module[:min(len(module), 8)]
	}
	return text
}

func instancesOf(c runtime.Status) string {
	if c.Instances == 0 {
		return "-"
	}
	return strconv.Itoa(c.Instances)
}
