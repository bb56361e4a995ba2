package temporal

import (
	"context"
	"fmt"
	"time"

	"go.temporal.io/api/workflowservice/v1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
)

// AwaitReady returns when the server at address answers and knows the namespace,
// or with the last failure when ctx ends first.
func AwaitReady(ctx context.Context, address, namespace string) error {
	conn, err := grpc.NewClient(address, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		return fmt.Errorf("connect to Temporal at %s: %w", address, err)
	}
	defer conn.Close()
	client := workflowservice.NewWorkflowServiceClient(conn)
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		err := probe(ctx, client, namespace)
		if err == nil {
			return nil
		}
		conn.ResetConnectBackoff()
		select {
		case <-ctx.Done():
			return fmt.Errorf("wait for Temporal at %s: %w", address, err)
		case <-tick.C:
		}
	}
}

func probe(ctx context.Context, client workflowservice.WorkflowServiceClient, namespace string) error {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	_, err := client.DescribeNamespace(ctx, &workflowservice.DescribeNamespaceRequest{Namespace: namespace})
	return err
}
