package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"time"

	enums "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/operatorservice/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	sdktemporal "go.temporal.io/sdk/temporal"
	"google.golang.org/protobuf/types/known/durationpb"

	"parley/db"
	"parley/workflows"
)

// retention is how long Temporal keeps closed conversations, where we make the
// namespace.
const retention = 30 * 24 * time.Hour

// migrateWithin bounds how long the other sides are waited for.
const migrateWithin = 2 * time.Minute

func runMigrate(ctx context.Context, p *process, args []string) error {
	if err := noArguments(args); err != nil {
		return err
	}
	config, err := LoadMigrate(p.lookuper(), p.env)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, migrateWithin)
	defer cancel()
	if err := patiently(ctx, p, "Postgres", func() error {
		return db.Migrate(ctx, string(config.Database), func(step string) { p.log.Info("migrating", "step", step) })
	}); err != nil {
		return err
	}
	c, err := dial(config.Temporal, p.log)
	if err != nil {
		return err
	}
	defer c.Close()
	namespace := config.Temporal.Namespace
	if namespace == "" {
		namespace = client.DefaultNamespace
	}
	if err := patiently(ctx, p, "Temporal", func() error { return prepareTemporal(ctx, c, namespace) }); err != nil {
		return err
	}
	// A namespace made just now is not known everywhere at once.
	if err := patiently(ctx, p, "Temporal's schedules", func() error { return scheduleHousekeeping(ctx, c, config.Keep) }); err != nil {
		return err
	}
	p.log.Info("Postgres and Temporal are up to date", "namespace", namespace)
	return nil
}

// patiently repeats a step until it succeeds or the context ends: at the start of
// a machine everything starts at once.
func patiently(ctx context.Context, p *process, what string, step func() error) error {
	for attempt := 0; ; attempt++ {
		err := step()
		if err == nil {
			return nil
		}
		if attempt%5 == 0 {
			p.log.Warn("not possible yet", "with", what, "err", err)
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(time.Second):
		}
	}
}

// prepareTemporal makes the namespace and the search attributes that are missing.
// Somebody else may be making them at the same time.
func prepareTemporal(ctx context.Context, c client.Client, namespace string) error {
	_, err := c.WorkflowService().DescribeNamespace(ctx, &workflowservice.DescribeNamespaceRequest{Namespace: namespace})
	if missing := new(serviceerror.NamespaceNotFound); errors.As(err, &missing) {
		_, err = c.WorkflowService().RegisterNamespace(ctx, &workflowservice.RegisterNamespaceRequest{
			Namespace: namespace, Description: "Conversations carried by Parley",
			WorkflowExecutionRetentionPeriod: durationpb.New(retention),
		})
		if there := new(serviceerror.NamespaceAlreadyExists); errors.As(err, &there) {
			err = nil
		}
	}
	if err != nil {
		return fmt.Errorf("namespace %s: %w", namespace, err)
	}
	return prepareSearchAttributes(ctx, c, namespace)
}

func prepareSearchAttributes(ctx context.Context, c client.Client, namespace string) error {
	there, err := c.OperatorService().ListSearchAttributes(ctx, &operatorservice.ListSearchAttributesRequest{Namespace: namespace})
	if err != nil {
		return fmt.Errorf("search attributes: %w", err)
	}
	missing := map[string]enums.IndexedValueType{}
	for _, key := range searchAttributes() {
		typ, ok := there.CustomAttributes[key.GetName()]
		switch {
		case !ok:
			missing[key.GetName()] = key.GetValueType()
		case typ != key.GetValueType():
			return fmt.Errorf("search attribute %s is there as %s, we need %s: remove it, or use another namespace",
				key.GetName(), typ, key.GetValueType())
		}
	}
	if len(missing) == 0 {
		return nil
	}
	_, err = c.OperatorService().AddSearchAttributes(ctx, &operatorservice.AddSearchAttributesRequest{
		Namespace: namespace, SearchAttributes: maps.Clone(missing),
	})
	if exists := new(serviceerror.AlreadyExists); errors.As(err, &exists) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("search attributes: %w", err)
	}
	return nil
}

func searchAttributes() []sdktemporal.SearchAttributeKey {
	return []sdktemporal.SearchAttributeKey{
		workflows.Account, workflows.Channel, workflows.Conversed, workflows.StageKey,
		workflows.AttentionKey, workflows.Skill, workflows.CSAT, workflows.FCR,
	}
}
