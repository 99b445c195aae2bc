package main

import (
	"net/http"
	"net/url"

	"github.com/spf13/cobra"
)

func acknowledgeCmd() *cobra.Command {
	var addr string
	cmd := &cobra.Command{
		Use:   "acknowledge <component>",
		Short: "End the notice that a component lost its data",
		Long: "Tell a server on this machine that the loss of a component's data is known, so that\n" +
			"`wasmstate status` shows it as ready again. The data does not come back.\n\n" +
			"Environment: DAPR_API_TOKEN, if the server asks for one.",
		Example: "  wasmstate acknowledge orders",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			_, err := askAdmin(cmd, addr, http.MethodPost, "/v1.0/admin/components/"+url.PathEscape(args[0])+"/acknowledge")
			return err
		},
	}
	cmd.Flags().StringVar(&addr, "admin-address", "127.0.0.1:3502", "host:port of the admin API")
	return cmd
}
