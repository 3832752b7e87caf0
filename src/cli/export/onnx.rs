//! The network as ONNX, written out by hand: MatMul, Add, Relu, MatMul.
//!
//! The format is protocol buffers by the field numbers of onnx.proto (ONNX IR version 8, operator set 14); a file of four nodes
//! needs no library.

use super::{Layers, bytes, rows};
use relucert::data::Preparation;

const IR_VERSION: u64 = 8;
/// Relu takes double precision from 14 on.
const OPERATOR_SET: u64 = 14;
/// Types of tensors.
const FLOAT: u64 = 1;
const DOUBLE: u64 = 11;

/// A message under construction.
#[derive(Default)]
struct Message(Vec<u8>);

impl Message {
    fn variable(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.0.push(value as u8 | 0x80);
            value >>= 7;
        }
        self.0.push(value as u8);
    }

    /// A field that is a number.
    fn number(mut self, field: u64, value: u64) -> Self {
        self.variable(field << 3);
        self.variable(value);
        self
    }

    /// A field that has a length: text, bytes or a message.
    fn field(mut self, field: u64, content: &[u8]) -> Self {
        self.variable(field << 3 | 2);
        self.variable(content.len() as u64);
        self.0.extend(content);
        self
    }

    fn text(self, field: u64, content: &str) -> Self {
        self.field(field, content.as_bytes())
    }

    fn message(self, field: u64, content: &Self) -> Self {
        self.field(field, &content.0)
    }
}

/// TensorProto: dims 1, data_type 2, name 8, raw_data 9.
fn tensor(name: &str, shape: &[usize], kind: u64, data: &[u8]) -> Message {
    let dims = shape.iter().fold(Message::default(), |message, size| message.number(1, *size as u64));
    dims.number(2, kind).text(8, name).field(9, data)
}

/// NodeProto: input 1, output 2, name 3, op_type 4.
fn node(operator: &str, inputs: &[&str], output: &str) -> Message {
    let message = inputs.iter().fold(Message::default(), |message, input| message.text(1, input));
    message.text(2, output).text(3, output).text(4, operator)
}

/// ValueInfoProto: name 1, type 2 (tensor_type 1: elem_type 1, shape 2: dim 1: dim_value 1 or dim_param 2).
fn table(name: &str, kind: u64, columns: usize) -> Message {
    let shape = Message::default()
        .message(1, &Message::default().text(2, "samples"))
        .message(1, &Message::default().number(1, columns as u64));
    let tensor = Message::default().number(1, kind).message(2, &shape);
    Message::default().text(1, name).message(2, &Message::default().message(1, &tensor))
}

/// ModelProto: ir_version 1, producer_name 2, producer_version 3, graph 7, opset_import 8, metadata_props 14.
///
/// GraphProto: node 1, name 2, initializer 5, input 11, output 12.
pub(super) fn model(layers: &Layers, preparation: &Preparation, single: bool) -> Vec<u8> {
    let kind = if single { FLOAT } else { DOUBLE };
    let (width, features, outputs) = (layers.hidden.nrows(), layers.hidden.ncols(), layers.output.nrows());
    // x W₁ᵀ: d × m, and then W₂ᵀ: m × c.
    let (first, second) = (layers.hidden.transpose().to_owned(), layers.output.transpose().to_owned());
    let graph = Message::default()
        .message(1, &node("MatMul", &["features", "fc1.weight"], "products"))
        .message(1, &node("Add", &["products", "fc1.bias"], "preactivations"))
        .message(1, &node("Relu", &["preactivations"], "activations"))
        .message(1, &node("MatMul", &["activations", "fc2.weight"], "outputs"))
        .text(2, "relucert")
        .message(5, &tensor("fc1.weight", &[features, width], kind, &bytes(rows(&first), single)))
        .message(5, &tensor("fc1.bias", &[width], kind, &bytes(layers.bias.iter().copied(), single)))
        .message(5, &tensor("fc2.weight", &[width, outputs], kind, &bytes(rows(&second), single)))
        .message(11, &table("features", kind, features))
        .message(12, &table("outputs", kind, outputs));
    let property = |key: &str, value: &str| Message::default().text(1, key).text(2, value);
    let mut model = Message::default()
        .number(1, IR_VERSION)
        .text(2, "relucert")
        .text(3, crate::cli::version::NUMBER)
        .message(7, &graph)
        .message(8, &Message::default().text(1, "").number(2, OPERATOR_SET))
        .message(14, &property("features", &preparation.features().join("\n")));
    if let Some(classes) = preparation.classes() {
        model = model.message(14, &property("classes", &classes.join("\n")));
    }
    model.0
}
