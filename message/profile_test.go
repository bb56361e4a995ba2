package message

import "testing"

func TestAProfileThatTellsLessTakesNothingAway(t *testing.T) {
	t.Parallel()
	known := Profile{Name: "Mira", Phone: "+15550100200", Age: Age{Age: 30}, Customer: Customer{ID: "C-1", Type: "gold"}}
	got := known.With(Profile{Name: "Mira Kahn", Age: Age{Year: 1990}, Customer: Customer{Type: "platinum"}})
	want := Profile{Name: "Mira Kahn", Phone: "+15550100200", Age: Age{Year: 1990}, Customer: Customer{ID: "C-1", Type: "platinum"}}
	if !got.Same(want) {
		t.Errorf("got %+v", got)
	}
	if !known.With(Profile{}).Same(known) || known.Customer.Type != "gold" {
		t.Error("nothing told changes nothing")
	}
}
