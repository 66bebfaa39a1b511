"""The columns of each kind of measurement, in the order in which tables are written."""

from __future__ import annotations

from collections.abc import Mapping

COLUMNS: Mapping[str, tuple[str, ...]] = {
    kind: tuple(names.split())
    for kind, names in {
        "vllm-memory": """
            row_id model_id precision weights_gib_per_gpu activation_gib non_torch_gib cuda_graph_gib
            kv_cache_gib tensor_parallel gpu_memory_utilization arch device_id device_note max_model_len
            block_size engine engine_version source_key ship
        """,
        "matmul": """
            device_id device_label precision value theory_tflops best_shape_mnk torch notes source metric unit
            source_key ship power_limit_w
        """,
        "training-memory": """
            row_id run_id source_key date device_id device_label power_limit_w memory_variant n_devices
            devices_per_node interconnect framework framework_label framework_version family model_id
            model_label variant config_file params_b active_params_b layers hidden heads kv_heads head_dim ffn
            vocab n_experts experts_per_tok shape_source params_check method precision precision_label seq_len
            micro_batch global_batch_seqs optimizer sharding tp pp vpp cp dp ep recompute flash_attention metric
            value unit unit_printed unit_certainty value_gib_low value_gib_high mem_kind value_as_printed
            split_group use use_reason ship notes
        """,
        "training": """
            row_id run_id source_key date device_id device_label power_limit_w memory_variant n_devices
            devices_per_node interconnect framework framework_label framework_version family model_id
            model_label variant config_file params_b active_params_b layers hidden heads kv_heads head_dim ffn
            vocab n_experts experts_per_tok shape_source params_check method precision precision_label
            config_evidence seq_len micro_batch global_batch_seqs optimizer sharding tp pp vpp cp dp ep
            recompute flash_attention metric value unit value_as_printed flops_convention_id flops_convention
            calibration split_group use use_reason ship notes
        """,
        "local-memory": """
            row_id source_key source_ref device_label n_gpus placement engine model_id model_label config_file
            params_b precision weight_gib context kv_type attention_impl batch ubatch flash_attention per_device
            use use_reason ship metric value unit
        """,
        "energy": """
            row_id source_key date device_id device_label power_limit_w n_devices interconnect tp pp dp ep
            attn_dp serving_mode engine engine_version engine_args model_id config_file arch params_b
            active_params_b weight_dtype kv_dtype load concurrency batch num_requests request_rate max_num_seqs
            max_num_batched_tokens input_tokens output_tokens lengths lengths_origin power_scope metric stat
            value unit quality use use_reason regime group_id ship ref notes
        """,
        "serving": """
            row_id source_key date device_id device_label power_limit_w n_devices interconnect tp pp dp ep
            attn_dp serving_mode engine engine_version engine_args model_id config_file arch params_b
            active_params_b weight_dtype kv_dtype load concurrency batch num_requests request_rate max_num_seqs
            max_num_batched_tokens input_tokens output_tokens lengths lengths_origin slo_ttft_ms slo_tpot_ms
            metric stat value unit quality use use_reason regime group_id ship ref notes
        """,
        "local": """
            row_id source_key source_ref date tier device_id device_catalog device_label compute_unit
            secondary_device_id host_device_id power_limit_w n_devices parallelism engine engine_version backend
            model_id model_label config_file arch params_b params_active_b precision precision_raw weight_gib
            kv_dtype metric value unit stdev n_runs prompt_tokens gen_tokens context_depth batch ubatch
            flash_attention offload derived use use_reason ship notes
        """,
    }.items()
}
