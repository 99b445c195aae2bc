package main

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"
)

// The exit codes.
const (
	exitOK     = 0
	exitFailed = 1 // what was asked for failed
	exitUsage  = 2 // the command line is wrong
)

// errSilent ends a command with exitFailed when it has said what is wrong.
var errSilent = errors.New("failed")

// usageError is a mistake in the command line.
type usageError struct{ error }

// run is the whole program: args without the program's name, streams, and the
// exit code as the result.
func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	root := newRoot()
	root.SetArgs(args)
	root.SetIn(stdin)
	root.SetOut(stdout)
	root.SetErr(stderr)
	err := root.ExecuteContext(ctx)
	var usage usageError
	switch {
	case err == nil:
		return exitOK
	case errors.Is(err, errSilent):
		return exitFailed
	case errors.As(err, &usage):
		fmt.Fprintf(stderr, "wasmstate: %v\nsee `wasmstate help`\n", err)
		return exitUsage
	}
	fmt.Fprintf(stderr, "wasmstate: %v\n", err)
	return exitFailed
}

// newRoot builds the command tree; a new sub-command is a line here and a file
// beside this one.
func newRoot() *cobra.Command {
	root := &cobra.Command{
		Use:           "wasmstate",
		Short:         "One state API in front of Go stores and sandboxed WebAssembly stores",
		SilenceErrors: true,
		SilenceUsage:  true,
		Version:       thisBuild().String(),
		Args:          cobra.NoArgs,
		RunE:          func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.SetVersionTemplate("wasmstate {{.Version}}\n")
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usageError{err} })
	root.AddCommand(commands()...)
	for _, c := range root.Commands() {
		if check := c.Args; check != nil {
			c.Args = func(cmd *cobra.Command, args []string) error {
				if err := check(cmd, args); err != nil {
					return usageError{err}
				}
				return nil
			}
		}
	}
	root.Args = func(_ *cobra.Command, args []string) error {
		if len(args) == 0 {
			return nil
		}
		msg := fmt.Sprintf("unknown command %q", args[0])
		if near := root.SuggestionsFor(args[0]); len(near) > 0 {
			msg += fmt.Sprintf("; did you mean %q?", near[0])
		}
		return usageError{errors.New(msg)}
	}
	root.SuggestionsMinimumDistance = 2
	return root
}

func commands() []*cobra.Command {
	return []*cobra.Command{
		runCmd(), validateCmd(), statusCmd(), acknowledgeCmd(),
		newCmd(), packCmd(), inspectCmd(), checkCmd(), benchCmd(), callCmd(),
		versionCmd(),
	}
}
