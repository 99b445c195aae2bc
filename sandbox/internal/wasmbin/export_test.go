package wasmbin

// FunctionCost is the estimate for one function, in nanoseconds and bytes.
type FunctionCost struct{ Time, Memory, Kept int64 }

// FunctionCosts are the estimates for the functions of a module. If it is one
// that Rewrite wrote, they are of the code as it is, and nothing is added.
func FunctionCosts(b []byte, lim Limits, rewritten bool) ([]FunctionCost, error) {
	lim.metered = rewritten
	m, err := Parse(b, lim)
	if err != nil {
		return nil, err
	}
	list := make([]FunctionCost, len(m.bodies))
	for i, f := range m.bodies {
		list[i] = FunctionCost{f.cost.time, f.cost.memory, f.cost.kept}
	}
	return list, nil
}
